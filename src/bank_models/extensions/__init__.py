"""Extensions: installed packages that the project enables, and the tables that they add to."""
