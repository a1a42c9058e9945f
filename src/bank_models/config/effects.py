"""Settings that change no number of a run, in one place: identities of jobs, stages and versions leave them out."""

HOW = ("launcher", "memory_budget", "n_threads", "registry", "resume")
"""How a run is carried out. A job of a sweep with another value of these is the same job."""
AFTERWARDS = ("report", "save_tuned", "tracking")
"""What is done with a finished run. A resumed sweep must do it, so it tells jobs apart; a stage of DVC does none of it."""
BESIDE = ("artifacts",)
"""Further files beside the model. They tell stages apart, and no versions."""
NO_NUMBER = (*HOW, *AFTERWARDS, *BESIDE)
