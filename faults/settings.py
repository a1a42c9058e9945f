"""Hostile settings: overrides and YAML that would run code, read secrets or write where they should not.

`{mark}` stands for a file that must not appear, `{outside}` for a folder in which nothing may change, `{pickle}` for a pickle
that makes the mark when it is opened, and `CANARY_SECRET_A` for an environment variable that must be saved nowhere.
"""

from __future__ import annotations

import json
import os
import pickle
import shlex
import string
from pathlib import Path

from faults import command, watch
from faults.case import Attempt, Group, expect

GROUP = Group("settings")
SECRET = "hush-7f3a91c4"
ENV = {"CANARY_SECRET_A": SECRET, "CANARY_SECRET_B": f"postgresql://ann:{SECRET}@db/bank"}
QUICK = ("use_case=credit_scoring", "model=dummy", "cv=none", "registry=none", "tracking=none")

TARGETS = {  # names of code, and what would make the mark if it was called
    "os.system": "command: touch {mark}",
    "posix.system": "command: touch {mark}",
    "os.popen": "cmd: touch {mark}",
    "os.mkdir": "path: {mark}",
    "os.makedirs": "name: {mark}",
    "os.mkfifo": "path: {mark}",
    "os.mknod": "path: {mark}",
    "os.symlink": "{{src: /etc/passwd, dst: {mark}}}",
    "os.link": "{{src: {pickle}, dst: {mark}}}",
    "os.rename": "{{src: {pickle}, dst: {mark}}}",
    "os.open": "{{path: {mark}, flags: 65}}",
    "subprocess.run": "{{args: [touch, {mark}]}}",
    "subprocess.Popen": "{{args: [touch, {mark}]}}",
    "subprocess.check_output": "{{args: [touch, {mark}], _args_: []}}",
    "subprocess.getoutput": "cmd: touch {mark}",
    "builtins.open": "{{file: {mark}, mode: w}}",
    "builtins.exec": "_args_: ['open(\"{mark}\",\"w\")']",
    "builtins.eval": "_args_: ['open(\"{mark}\",\"w\")']",
    "builtins.__import__": "name: antigravity",
    "io.open": "{{file: {mark}, mode: w}}",
    "io.FileIO": "{{file: {mark}, mode: w}}",
    "codecs.open": "{{filename: {mark}, mode: w}}",
    "pathlib.Path.touch": "self: {mark}",
    "pathlib.Path.write_text": "{{self: {mark}, data: x}}",
    "shutil.copyfile": "{{src: {pickle}, dst: {mark}}}",
    "shutil.copytree": "{{src: {outside}, dst: {mark}}}",
    "shutil.move": "{{src: {pickle}, dst: {mark}}}",
    "shutil.rmtree": "path: {outside}",
    "shutil.make_archive": "{{base_name: {mark}, format: zip}}",
    "tempfile.mkdtemp": "dir: {outside}",
    "sqlite3.connect": "database: {mark}",
    "shelve.open": "filename: {mark}",
    "dbm.dumb.open": "{{file: {mark}, flag: c}}",
    "zipfile.ZipFile": "{{file: {mark}, mode: w}}",
    "tarfile.open": "{{name: {mark}, mode: w}}",
    "gzip.open": "{{filename: {mark}, mode: wb}}",
    "logging.FileHandler": "filename: {mark}",
    "logging.basicConfig": "filename: {mark}",
    "logging.handlers.RotatingFileHandler": "filename: {mark}",
    "logging.handlers.WatchedFileHandler": "filename: {mark}",
    "logging.config.fileConfig": "fname: {pickle}",
    "distutils.spawn.spawn": "cmd: [touch, {mark}]",
    "setuptools._distutils.spawn.spawn": "cmd: [touch, {mark}]",
    "imaplib.IMAP4_stream": "command: touch {mark}",
    "pty.spawn": "argv: [touch, {mark}]",
    "runpy.run_path": "path_name: {pickle}",
    "importlib.import_module": "name: antigravity",
    "pydoc.locate": "path: antigravity",
    "timeit.timeit": "stmt: 'open(\"{mark}\",\"w\")'",
    "code.interact": "local: null",
    "pickle.loads": "_args_: []",
    "joblib.load": "filename: {pickle}",
    "pandas.read_pickle": "filepath_or_buffer: {pickle}",
    "pandas.DataFrame.to_csv": "{{self: x, path_or_buf: {mark}}}",
    "numpy.load": "{{file: {pickle}, allow_pickle: true}}",
    "numpy.save": "{{file: {mark}, arr: 1}}",
    "numpy.memmap": "{{filename: {mark}, mode: w+, shape: 8}}",
    "torch.load": "{{f: {pickle}, weights_only: false}}",
    "cloudpickle.loads": "_args_: []",
    "skops.io.load": "file: {pickle}",
    "optuna.storages.RDBStorage": "url: sqlite:///{mark}",
    "optuna.storages.JournalFileStorage": "file_path: {mark}",
    "optuna.create_study": "storage: sqlite:///{mark}",
    "hydra.utils.get_object": "path: antigravity",
    "hydra.utils.call": "{{config: {{_target_: os.system, command: touch {mark}}}}}",
    "hydra.utils.instantiate": "{{config: {{_target_: os.system, command: touch {mark}}}}}",
    "hydra._internal.utils._locate": "path: antigravity",
    "hydra.core.utils.configure_log": ("{{log_config: {{version: 1, "
    "handlers: {{x: {{class: logging.FileHandler, filename: {mark}}}}}}}}}"),
    "hydra_plugins.hydra_joblib_launcher._core.launch": "launcher: x",
    "dvc.repo.Repo.init": "root_dir: {outside}",
    "dvclive.Live": "dir: {mark}",
    "mlflow.start_run": "run_name: x",
    "bank_models.files.writing.replace_text": "{{path: {mark}, text: x}}",
    "bank_models.registry.signing.make_keys": "folder: {mark}",
}  # fmt: skip
DOORS = {  # where a target may be typed
    "callback": "++hydra.callbacks.x={{_target_: {target}, {arguments}}}",
    "callback as one node": "++hydra={{callbacks: {{x: {{_target_: {target}, {arguments}}}}}}}",
    "callback through decode": (
        "++hydra={{callbacks:\"${{oc.decode:'{{x: {{_tar${{oc.select:zz,get}}_: {target}, {plain}}}}}'}}\"}}"
    ),
    "callback through create": '++hydra={{callbacks:{{x: "${{oc.create:{{_tar${{oc.select:zz,get}}_: {target}}}}}"}}}}',
    "launcher": "++hydra.launcher={{_target_: {target}, {arguments}}}",
    "sweeper": "++hydra.sweeper={{_target_: {target}, {arguments}}}",
    "sampler": "++hydra.sweeper.sampler={{_target_: {target}, {arguments}}}",
    "model parameter": "++model.params.x={{_target_: {target}, {arguments}}}",
    "estimator": "++model.estimator.binary={target}",
    "handler class": "++hydra.job_logging.handlers.console={{class: {target}, {arguments}}}",
    "handler factory": "++hydra.job_logging.handlers.console={{'()': {target}, {arguments}}}",
    "handler through a node": (
        "++hydra={{job_logging: {{handlers: {{x: {{class: {target}, {arguments}}}}}, root: {{handlers: [x]}}}}}}"
    ),
    "external object": "++hydra={{job_logging: {{handlers: {{console: {{class: logging.StreamHandler, stream: 'ext://{target}'}}}}}}}}",
    "search space": "++model.search_space.x={{_target_: {target}, {arguments}}}",
    "use case": "++use_case.x={{_target_: {target}, {arguments}}}",
}
SECRETS = (  # ways to a variable of the environment
    "use_case.name=${oc.env:CANARY_SECRET_A}",
    """'use_case.name="${oc.${oc.select:zz,env}:CANARY_SECRET_A}"'""",
    """'use_case.row="${oc.${oc.decode:env}:CANARY_SECRET_A}"'""",
    """'use_case.name="${oc.select:hydra.job.env_set.X}"' '+hydra.job.env_set.X="${oc.env:CANARY_SECRET_A}"'""",
    "+use_case.description='${oc.env:CANARY_SECRET_A}'",
    "use_case.key=${oc.env:CANARY_SECRET_A}",
    "hydra.run.dir=runs/${oc.env:CANARY_SECRET_A}",
    """'hydra.run.dir="runs/${oc.${oc.select:zz,env}:CANARY_SECRET_A}"'""",
    "hydra.sweep.dir=sweep/${oc.env:CANARY_SECRET_A} --multirun seed=1,2",
    "hydra.sweep.subdir=${oc.env:CANARY_SECRET_A} --multirun seed=1,2",
    "hydra.job.name=${oc.env:CANARY_SECRET_A}",
    "hydra.job.env_copy=[CANARY_SECRET_A]",
    "hydra.job.env_set={X:'${oc.env:CANARY_SECRET_A}'}",
    "seed=${oc.env:CANARY_SECRET_A}",
    """'seed="${oc.${oc.select:zz,env}:CANARY_SECRET_A}"'""",
    "model.params.strategy=${oc.env:CANARY_SECRET_A}",
    "tracking.path=${oc.env:CANARY_SECRET_A}",
    "registry=local registry.path=${oc.env:CANARY_SECRET_A}",
    "tuning=random_search tuning.storage=sqlite:///${oc.env:CANARY_SECRET_A}",
    "data_source=file data_source.path=${oc.env:CANARY_SECRET_A}",
    "data_source=sql data_source.query='SELECT \"${oc.env:CANARY_SECRET_A}\"' data_source.url_env=CANARY_SECRET_B",
    "data_source=sql data_source.query=SELECT data_source.url_env=CANARY_SECRET_A",
    "data_source=sql data_source.query=SELECT data_source.url_env=CANARY_SECRET_B",
    "data_source=sql data_source.query=/proc/self/environ data_source.url_env=CANARY_SECRET_B",
    "tuning=random_search tuning.n_iter=2 tuning.storage=CANARY_SECRET_A",
    "tuning=random_search tuning.n_iter=2 tuning.storage=CANARY_SECRET_B",
    "data_source=file data_source.path=/proc/self/environ",
    "'${oc.env:CANARY_SECRET_A}=1'",
    "++hydra.verbose=${oc.env:CANARY_SECRET_A}",
    "++hydra.job_logging.formatters.simple.format=${oc.env:CANARY_SECRET_A}",
    "++hydra.job.config.override_dirname.kv_sep=${oc.env:CANARY_SECRET_A}",
    "use_case.name=${env:CANARY_SECRET_A}",
    "use_case.name=${hydra:job.env_copy}",
    "use_case.name=${hydra:runtime.cwd}${oc.env:CANARY_SECRET_A}",
    """'use_case.name="${oc.dict.values:{a:${oc.env:CANARY_SECRET_A}}}"'""",
    "use_case.name=${oc.deprecated:${oc.env:CANARY_SECRET_A}}",
)
PLACES = (  # ways out of the folder, by name
    "use_case=../../{outside}/x",
    "use_case=/etc/passwd",
    "model=../config",
    "use_case.key=../../escaped",
    "use_case.key={outside}/escaped",
    "use_case.id=../../escaped",
    "model.name=../../../escaped",
    "model.name={outside}/escaped",
    "hydra.sweep.subdir=../../escaped --multirun seed=1,2",
    "hydra.output_subdir=../../escaped",
    "hydra.output_subdir={outside}/escaped",
    "hydra.job.chdir=true hydra.run.dir=runs/x",
    "hydra.searchpath=[file://{outside}]",
    "hydra.searchpath=[pkg://antigravity]",
    "++hydra={{searchpath:['file://{outside}']}}",
    "--config-path {outside}",
    "--config-name ../../x",
    "--config-path={outside} --config-name=x",
    "--experimental-rerun {pickle}",
    "hydra.job.env_set={{PATH:{outside}}}",
    "++hydra={{job:{{env_set:{{PYTHONPATH:{outside}}}}}}}",
    "hydra.job.env_set.LD_PRELOAD={outside}/x.so",
    "hydra.mode=MULTIRUN ++hydra.launcher._target_=os.system",
    "hydra/launcher=../../x --multirun",
    "hydra/job_logging=../../x",
    "+use_case/../model=xgboost",
    "+model@hydra.callbacks=xgboost",
    "+hydra/callbacks=x",
    "--package os.system",
    "--cfg=hydra --resolve",
    "--cfg=all --resolve",
    "--info=searchpath",
    "-cd=/proc/self",
    "save_tuned=true use_case.key=../../escaped tuning=random_search tuning.n_iter=1",
)


def _arguments(door: str, target: str, mark: str, **places: str) -> str:
    arguments = TARGETS[target].format(mark=mark, **places)
    plain = arguments.strip("{}") if arguments.startswith("{") else arguments
    return DOORS[door].format(target=target, arguments=plain, plain=plain.replace("'", ""))


class Watched:
    """A folder to run in, and what around it must not change."""

    def __init__(self, folder: Path):
        self.outside, self.home, self.tmp = folder / "outside", folder / "home", folder / "tmp"
        self.mark = folder / "mark"
        self.work = folder / "work"
        self.outside.mkdir()
        self.pickle = self.outside / "bomb.pickle"
        self.pickle.write_bytes(pickle.dumps(_Bomb(f"touch {self.mark}")))
        (self.outside / "x.yaml").write_text(self.fill(YAML["callback in a use case"]))
        self.watched = self.outside, self.home, self.tmp
        self.before = watch.tree(*self.watched)

    def fill(self, text: str) -> str:
        return text.format(mark=self.mark, outside=self.outside, pickle=self.pickle)

    def check(
        self, answer: command.Answer, allowed: tuple[str, ...] = ("runs", "multirun", "sweep", "models", "studies")
    ) -> None:
        """Expect that nothing was executed, written elsewhere, or told."""
        expect(not self.mark.exists() and not self.mark.is_symlink(), "code was executed")
        watch.check_unchanged(self.before, *self.watched)
        around = [path.name for path in self.work.parent.iterdir()]
        strange = [
            name for name in around if name not in ("outside", "home", "tmp", "work") and not name.startswith(("out-", "err-"))
        ]
        expect(not strange, f"it wrote {strange} beside its folder")
        here = [path.name for path in self.work.iterdir() if path.name not in (*allowed, "conf", "arguments")]
        expect(not here, f"it wrote {here} in its folder")
        watch.check_secret_is_nowhere(SECRET, (answer.out, answer.err), self.work)
        expect("Traceback (most recent" not in answer.err, f"a traceback: {answer.err[-300:]}")
        expect(answer.code in (0, 2, 5), f"exit code {answer.code}: {answer.err[-300:]}")
        expect(answer.code != 2 or len(answer.err.strip().splitlines()) <= 3, f"more than three lines: {answer.err[:300]}")


class _Bomb:
    def __init__(self, order: str):
        self.order = order

    def __reduce__(self):
        return os.system, (self.order,)


def _try(attempt: Attempt, *arguments: str, watched: Watched) -> None:
    words = list(arguments)
    if "--multirun" not in words and not any(word.startswith("--c") for word in words):
        words.append("seed=1") if not any(word.startswith("seed=") for word in words) else None
    chosen = [one for one in QUICK if not any(word.startswith(f"{one.partition('=')[0]}=") for word in words)]
    watched.check(command.run("src.train", *chosen, *words, env=ENV, limit_s=90))


@GROUP.promise(
    "a setting that names code",
    "However it is written, no name from the command line is imported or called; only our own names are known.",
    cases=tuple(TARGETS),
    share=8,
)
def targets(attempt: Attempt) -> None:
    watched = Watched(attempt.folder)
    doors = list(DOORS)
    door = doors[(attempt.number + attempt.number // len(TARGETS)) % len(doors)]
    places = {"outside": str(watched.outside), "pickle": str(watched.pickle)}
    text = _arguments(door, attempt.case, str(watched.mark), **places)
    _try(attempt, text, *(["--multirun"] if door in ("launcher", "sweeper", "sampler") else []), watched=watched)


@GROUP.promise(
    "a setting that reads the environment",
    "No variable of the environment reaches a file, a folder's name, a message or a page.",
    cases=SECRETS,
    share=2,
)
def secrets(attempt: Attempt) -> None:
    watched = Watched(attempt.folder)
    _try(attempt, *shlex.split(attempt.case), watched=watched)


@GROUP.promise(
    "a setting that leads elsewhere",
    "Names stay names: no option, key, flag or folder of Hydra leads out of the project's folders.",
    cases=PLACES,
    share=2,
)
def places(attempt: Attempt) -> None:
    watched = Watched(attempt.folder)
    _try(attempt, *shlex.split(watched.fill(attempt.case)), watched=watched)


YAML = {  # files of a --config-dir that a stranger wrote, by group
    "callback in a use case": "hydra: {{callbacks: {{x: {{_target_: os.system, command: touch {mark}}}}}}}",
    "launcher in a use case": "hydra: {{launcher: {{_target_: os.system, command: touch {mark}}}}}",
    "handler in a use case": "hydra: {{job_logging: {{handlers: {{a: {{class: logging.FileHandler, filename: {mark}}}}}}}}}",
    "stream in a use case": ("hydra: {{job_logging: {{handlers: {{console: "
    "{{class: logging.StreamHandler, stream: 'ext://antigravity'}}}}}}}}"),
    "filter in a use case": "hydra: {{job_logging: {{filters: {{x: {{'()': os.system, command: touch {mark}}}}}}}}}",
    "environment in a use case": "hydra: {{job: {{env_set: {{PATH: {outside}}}}}}}",
    "copied environment in a use case": "hydra: {{job: {{env_copy: [CANARY_SECRET_A]}}}}",
    "run folder in a use case": "hydra: {{run: {{dir: '{outside}/escaped'}}}}",
    "output folder in a use case": "hydra: {{output_subdir: '{outside}/escaped'}}",
    "search path in a use case": "hydra: {{searchpath: ['file://{outside}']}}",
    "secret as a name": "use_case: {{name: '${{oc.env:CANARY_SECRET_A}}'}}",
    "secret as a name, nested": "use_case: {{name: '${{oc.${{oc.select:zz,env}}:CANARY_SECRET_A}}'}}",
    "secret as a key": "use_case: {{key: '${{oc.env:CANARY_SECRET_A}}'}}",
    "a key that climbs": "use_case: {{key: ../../escaped}}",
    "an id that climbs": "use_case: {{id: ../../escaped}}",
    "Python's tag": "use_case: {{name: !!python/object/apply:os.system ['touch {mark}']}}",
    "Python's other tag": "use_case: {{name: !!python/name:os.system }}",
    "a new tag": "use_case: {{name: !include /etc/passwd}}",
    "a bomb of aliases": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in ("ab", "bc", "cd"))
    + "use_case: {{x: [*d,*d,*d,*d,*d,*d,*d]}}",
    "an alias of itself": "use_case: &a {{x: *a}}",
    "no YAML": "use_case: [",
    "tabs": "use_case:\n\tname: x",
    "a list": "- a\n- b",
    "nothing": "",
    "a number": "42",
    "zero bytes": "use_case: {{name: 'a\\0b'}}\0",
    "deep nesting": "use_case: " + "[" * 3000,
    "a key twice": "use_case: {{name: a, name: b}}",
    "defaults that climb": "defaults:\n  - ../../../{outside}/x\n  - _self_",
    "defaults that name Hydra's parts": "defaults:\n  - override /hydra/launcher: basic\n  - /hydra/callbacks: x\n  - _self_",
    "defaults into Hydra's place": "defaults:\n  - /model@hydra.callbacks: xgboost\n  - _self_",
    "a package that is Hydra's": "# @package hydra.callbacks\nx: {{_target_: os.system, command: touch {mark}}}",
}  # fmt: skip


@GROUP.promise(
    "a configuration file of a stranger",
    "YAML of a `--config-dir` runs nothing, tells no secret and leads nowhere; a fault in it is named in three lines.",
    cases=tuple(YAML),
    share=1.6,
)
def files(attempt: Attempt) -> None:
    watched = Watched(attempt.folder)
    text = watched.fill(YAML[attempt.case])
    start = (
        "# @package _global_\ndefaults:\n  - credit_scoring\n  - _self_\n"
        if "defaults:" not in text and "@package" not in text
        else ""
    )
    (watched.work / "conf/use_case").mkdir(parents=True)
    (watched.work / "conf/use_case/stranger.yaml").write_text(start + text)
    settings = [one for one in QUICK if not one.startswith("use_case")]
    watched.check(command.run("src.train", "--config-dir", "conf", "use_case=stranger", *settings, env=ENV, limit_s=90))


CONFINED = (
    "hydra.run.dir={outside}/it",
    "hydra.run.dir=../outside/it",
    "hydra.run.dir=link/it",
    "hydra.sweep.dir={outside}/sweep --multirun seed=1,2",
    "registry=local registry.path={outside}/models",
    "registry=local registry.path=link/models",
    "tracking=dvclive tracking.path={outside}/dvclive",
    "tracking.experiments={outside}/experiments.jsonl",
    "tuning=random_search tuning.n_iter=1 tuning.storage=sqlite:///{outside}/study.db",
    "tuning=random_search tuning.n_iter=1 tuning.storage=sqlite:////etc/study.db",
    "data_source=file data_source.path={outside}/bomb.pickle",
    "data_source=file data_source.path=/etc/passwd",
    "data_source=sql data_source.query={outside}/x.sql data_source.url_env=CANARY_SECRET_B",
    "--config-dir {outside} seed=1",
    "hydra/launcher=joblib hydra.launcher.temp_folder={outside} --multirun seed=1,2",
    "hydra/sweeper=optuna hydra.sweeper.storage=sqlite:///{outside}/study.db hydra.sweeper.n_trials=1 --multirun",
)


@GROUP.promise(
    "a setting in a confined project",
    "Where `project.yaml` says `confine: true`, no setting reads or writes outside the project, through links neither.",
    cases=CONFINED,
)
def confined(attempt: Attempt) -> None:
    watched = Watched(attempt.folder)
    Path("link").symlink_to(watched.outside)
    Path("project.yaml").write_text("confine: true\n", encoding="utf-8")
    words = shlex.split(watched.fill(attempt.case))
    chosen = [one for one in QUICK if not any(word.startswith(f"{one.partition('=')[0]}=") for word in words)]
    answer = command.run("src.train", *chosen, *words, env=ENV, limit_s=90)
    answer.check_is_a_sentence(2)
    watched.check(answer, allowed=("link", "project.yaml"))


NAMES = ("src.train", "src.predict", "src.registry", "src.use_cases", "src.scoreboard", "src.report", "src.gate")


@GROUP.promise(
    "random words on the command line",
    "Whatever is typed, a command answers in a sentence with exit code 0 or 2, and writes nothing that was not asked for.",
    cases=NAMES,
    share=2,
)
def words(attempt: Attempt) -> None:
    watched, draw = Watched(attempt.folder), attempt.draw
    alphabet = string.ascii_lowercase + "=.[]{}$:@~+-/\\'\"*?%&|<> \n\t\u00e9\u202e\U0001f600"
    known = [
        "use_case=",
        "model=",
        "show",
        "list",
        "input=",
        "output=",
        "run_dir=",
        "--json",
        "--help",
        "seed=",
        "hydra.",
        "~",
        "++",
    ]
    typed = [
        draw.choice(["", *known]) + "".join(draw.choice(alphabet) for _ in range(draw.randrange(1, 14)))
        for _ in range(draw.randrange(1, 4))
    ]
    (watched.work.parent / "tmp").mkdir(exist_ok=True)
    answer = command.run(attempt.case, *typed, env=ENV, limit_s=40)
    expect("Traceback (most recent" not in answer.err, f"{json.dumps(typed)}: {answer.err[-300:]}")
    expect(answer.code in (0, 2, 4), f"exit code {answer.code} for {json.dumps(typed)}")
    watched.check(answer) if answer.code != 4 else None
