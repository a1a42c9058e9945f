"""Extensions: what the project's settings file enables of installed packages, and how our tables find it."""
