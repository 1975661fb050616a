"""`beside models`: list, fetch, verify, use, recommend, bundle."""

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path

from device import config as config_module
from device.errors import BesideError
from models import bundle, catalogue, choose, show
from models.catalogue import Model, models_folder
from models.fetch import Wanted, fetch
from models.progress import Bar, JsonLines, Progress
from models.recommend import recommend
from models.shelf import inspect


def main(argv: list[str] | None = None) -> int:
    """0 when all went well, 1 when a model is missing or broken, else the error's own exit code."""
    options = _parser().parse_args(argv)
    try:
        code: int = options.run(options)
    except BesideError as trouble:
        show.trouble(trouble, options.json)
        return trouble.exit_code
    except KeyboardInterrupt:
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="beside models", description="The models that Beside can use: see, fetch, check and choose them.")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="for programs: JSON on standard output")
    common.add_argument("--into", type=Path, metavar="FOLDER", help="the models folder (default: paths.models of the configuration)")
    words = parser.add_subparsers(required=True, metavar="WORD")

    word = words.add_parser("list", parents=[common], help="every model of the catalogue, and which are here")
    word.add_argument("name", nargs="?", help="everything about one model")
    word.add_argument("--kind", choices=catalogue.KINDS, help="only these")
    word.add_argument("--here", action="store_true", help="only those that are here")
    word.set_defaults(run=_list)

    word = words.add_parser("fetch", parents=[common], help="load models, prove them and put them in place")
    word.add_argument("names", nargs="*", metavar="NAME")
    word.add_argument("--embedded", action="store_true", help="what Beside cannot do without (from Python packages)")
    word.add_argument("--from", dest="source", type=Path, metavar="FOLDER", help="a stick or folder instead of the network")
    word.add_argument("--sha256", metavar="HEX", help="the checksum, for a model whose makers published none")
    word.add_argument("--again", action="store_true", help="even if it is here and whole")
    word.set_defaults(run=_fetch)

    word = words.add_parser("verify", parents=[common], help="compare every byte that is here with the catalogue")
    word.add_argument("names", nargs="*", metavar="NAME", help="default: what is here, and what Beside needs")
    word.set_defaults(run=_verify)

    word = words.add_parser("use", parents=[common], help="prove that a model loads and answers, then choose it")
    word.add_argument("name", metavar="NAME")
    word.add_argument("--config", type=Path, help="the configuration to change (default: the one in force)")
    word.set_defaults(run=_use)

    word = words.add_parser("recommend", parents=[common], help="which language model, ear and voice fit this machine, and why")
    word.add_argument("--memory-gb", type=float, metavar="N", help="for another machine with this much memory")
    word.set_defaults(run=_recommend)
    word = words.add_parser("bundle", parents=[common], help="everything on one USB stick, for a machine without network")
    word.add_argument("out", nargs="?", type=Path, metavar="OUT", help="the new folder")
    word.add_argument("--models", nargs="+", metavar="NAME", help="these besides what Beside needs (default: all that are here)")
    word.add_argument("--no-packages", action="store_true", help="models and project only, for a machine that has the packages")
    word.add_argument("--check", type=Path, metavar="DIR", help="compare a bundle with its list and its signature")
    word.add_argument(
        "--key", type=Path, metavar="FILE", help="the site.pub to check against (default: this site's, else the bundle's own)"
    )
    word.set_defaults(run=_bundle)
    return parser


def _folder(options: argparse.Namespace) -> Path:
    return options.into.absolute() if options.into else models_folder(config_module.load())


def _list(options: argparse.Namespace) -> int:
    everything, folder = catalogue.load(), _folder(options)
    if options.name:
        show.one(everything.find(options.name), everything, folder, options.json)
        return 0
    models = [m for m in everything.models if options.kind in (None, m.kind)]
    show.many([m for m in models if not options.here or catalogue.is_here(m, folder)], folder, options.json)
    return 0


def _fetch(options: argparse.Namespace) -> int:
    everything = catalogue.load()
    models: list[Model] = [everything.find(name) for name in options.names]
    if options.embedded:
        models += [m for m in everything.needed if m not in models]
    if not models:
        raise show.nothing_named()
    wanted = Wanted(tuple(models), _folder(options), options.source, show.checked_sha256(options.sha256), options.again)
    with ExitStack() as stack:
        progress: Progress = JsonLines() if options.json else stack.enter_context(Bar())
        outcomes = fetch(wanted, progress)
    show.outcomes(outcomes, options.json)
    return 1 if any(o.trouble for o in outcomes) else 0


def _verify(options: argparse.Namespace) -> int:
    everything, folder = catalogue.load(), _folder(options)
    models = [everything.find(n) for n in options.names] or [m for m in everything.models if m.needed or catalogue.is_here(m, folder)]
    findings = [finding for m in models for finding in inspect(m, folder)]
    show.findings(findings, folder, options.json)
    return 1 if any(f.trouble for f in findings) else 0


def _use(options: argparse.Namespace) -> int:
    everything, path = catalogue.load(), options.config or config_module.default_path()
    folder = options.into.absolute() if options.into else models_folder(config_module.load(path))
    model = everything.find(options.name)
    for caution in model.cautions:
        show.note(everything.cautions[caution])
    proof = choose.use(model, folder, path, show.note)
    show.chosen(model, proof, path, options.json)
    return 0


def _recommend(options: argparse.Namespace) -> int:
    memory_mb = int(options.memory_gb * 1000) if options.memory_gb is not None else choose.total_memory_mb()
    show.advice(recommend(catalogue.load(), memory_mb), _folder(options), options.json)
    return 0


def _bundle(options: argparse.Namespace) -> int:
    if options.check:
        checked = bundle.check(options.check, options.key)
        show.checked(checked, options.json)
        return 1 if checked.troubles else 0
    if not options.out:
        raise show.nothing_named("The folder of the new bundle was not named.", "beside models bundle OUT")
    everything, folder = catalogue.load(), _folder(options)
    named = (
        [everything.find(n) for n in options.models] if options.models else [m for m in everything.models if catalogue.is_here(m, folder)]
    )
    models = [*everything.needed, *(m for m in named if not m.needed)]
    made = bundle.bundle(bundle.Plan(options.out, tuple(models), folder, not options.no_packages), show.note)
    show.bundled(options.out, made, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
