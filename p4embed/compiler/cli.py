"""The command `p4embed-c`, which takes p4c's arguments for target bmv2, architecture v1model.

Exit codes: 0 done; 1 the program has errors, or a file cannot be read or written; 2 the
command line is wrong; 3 a fault in the compiler itself; 130 Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from p4embed.compiler.diagnostics import CompileError, Diagnostics, Severity
from p4embed.compiler.driver import PASSES, Compiled, compile_file
from p4embed.compiler.syntax.preprocess import PreprocessorOptions, preprocess, render

if TYPE_CHECKING:
    from finsy.proto import p4i

PROGRAM = "p4embed-c"
TARGETS = ("bmv2", "bmv2-ss-p4org")
ARCHITECTURES = ("v1model", "ss")
STANDARDS = ("p4-16", "p4_16", "16")
SUFFIXES = (".txtpb", ".txt", ".json", ".bin")

NOT_DONE = {
    "--ndebug": "'assert' and 'assume' are always compiled",
    "--emit-externs": "only the externs of v1model are",
    "--p4runtime-entries-file": "the entries of a program are in its JSON file",
    "--p4runtime-entries-files": "the entries of a program are in its JSON file",
    "--disable-annotations": "take the annotation out of the program",
    "--pp": "'--dump parse' shows the program",
    "--top4": "'--dump PASS' shows the program after a pass",
    "--toJSON": "'--dump PASS' shows the program after a pass",
    "--fromJSON": "only P4 source can be compiled",
    "--loopsUnroll": "loops are compiled as loops",
}
"""Options of p4c that change what it makes and are not here, and what to say of them."""

ALL = "all"

EXIT_ERRORS = 1
EXIT_USAGE = 2
EXIT_FAULT = 3
EXIT_INTERRUPTED = 130


class Usage(Exception):
    """A wrong command line; the text says what would be right."""


class _Refusal(argparse.Action):
    """An option of p4c that is refused, `const` saying what to do instead."""

    def __call__(self, *arguments: object, **_: object) -> None:
        """Raises `Usage`."""
        raise Usage(f"option '{arguments[-1]}' is not supported; {self.const}")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Usage(f"{message} (try '{PROGRAM} --help')")


def _version() -> str:
    try:
        return metadata.version("wingpath")
    except metadata.PackageNotFoundError:
        return "0"


def _arguments() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=PROGRAM,
        description="Compile a P4_16 program for BMv2's simple_switch (architecture v1model).",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("source", nargs="?", metavar="file.p4", help="the program")
    add("-V", "--version", action="version", version=f"{PROGRAM} {_version()}")
    add("-b", "--target", default="bmv2", help="target device: bmv2")
    add("-a", "--arch", default="v1model", help="target architecture: v1model")
    add("-x", "--std", default="p4-16", help="language: p4-16")
    add("-I", dest="include", action="append", default=[], metavar="DIR", help="include path")
    add("-D", dest="define", action="append", default=[], metavar="NAME[=VALUE]", help="macro")
    add("-U", dest="undefine", action="append", default=[], metavar="NAME", help="undo a macro")
    add("-E", dest="preprocess_only", action="store_true", help="print the preprocessed text")
    add("-o", "--output", default=".", metavar="DIR", help="where <file>.json goes")
    add(
        "--p4runtime-files",
        metavar="FILES",
        help=f"P4Info files, separated by commas, form by suffix: {', '.join(SUFFIXES)}",
    )
    add("--p4runtime-file", metavar="FILE", help="a P4Info file in the form --p4runtime-format")
    add("--p4runtime-format", choices=("binary", "json", "text"), default="binary")
    # p4c's warnings have kinds, ours have not: one given by name changes nothing.
    add("--Werror", nargs="?", const=ALL, metavar="KIND", help="take warnings for errors")
    add("--Wdisable", nargs="?", const=ALL, metavar="KIND", help="print no warnings")
    add("--dump", choices=PASSES, help="print the program after a pass")
    add("--Wwarn", nargs="?", const=ALL, metavar="KIND", help="for p4c's sake; always on")
    add("--maxErrorCount", type=int, metavar="N", help="print no more errors than that")
    # What these ask of p4c, this compiler does in any case, or has no use for.
    add("--p4v", default="16", help=argparse.SUPPRESS)
    add("-g", dest="debug_info", action="store_true", help=argparse.SUPPRESS)
    add("-c", "--compile", action="store_true", help=argparse.SUPPRESS)
    add("-v", "--debug", action="store_true", help=argparse.SUPPRESS)
    add("--parser-inline-opt", action="store_true", help=argparse.SUPPRESS)
    add("--nocpp", action="store_true", help=argparse.SUPPRESS)
    for option, reason in NOT_DONE.items():
        add(option, nargs="?", action=_Refusal, const=reason, help=argparse.SUPPRESS)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    try:
        return _run(sys.argv[1:] if argv is None else list(argv))
    except Usage as problem:
        print(f"{PROGRAM}: error: {problem}", file=sys.stderr)
        return EXIT_USAGE
    except BrokenPipeError:
        # Whoever read our output has gone; nothing is left to be told.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_ERRORS
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except (Exception, RecursionError) as fault:
        place = traceback.extract_tb(fault.__traceback__)[-1]
        print(
            f"{PROGRAM}: internal fault: {type(fault).__name__}: {fault} "
            f"({Path(place.filename).name}:{place.lineno}); please report it with the program",
            file=sys.stderr,
        )
        return EXIT_FAULT


def _check(options: argparse.Namespace) -> None:
    if options.target not in TARGETS:
        raise Usage(f"target '{options.target}' is not supported; the target is bmv2")
    if options.arch not in ARCHITECTURES:
        raise Usage(f"architecture '{options.arch}' is not supported; it is v1model")
    for language in (options.std, options.p4v):
        if language.lower() not in STANDARDS:
            raise Usage(f"language '{language}' is not supported; it is p4-16")
    if options.maxErrorCount is not None and options.maxErrorCount < 1:
        raise Usage(f"'--maxErrorCount {options.maxErrorCount}': the number is at least 1")
    if options.source is None:
        raise Usage("no source file is given")
    if not Path(options.source).is_file():
        raise Usage(f"there is no source file '{options.source}'")
    for name in _info_files(options):
        if not name.endswith(SUFFIXES):
            raise Usage(f"the form of '{name}' is unknown; suffixes are {', '.join(SUFFIXES)}")


def _info_files(options: argparse.Namespace) -> list[str]:
    files: str | None = options.p4runtime_files
    return [] if files is None else [name for name in files.split(",") if name]


def _run(argv: list[str]) -> int:
    options = _arguments().parse_args(argv)
    for name in ("Werror", "Wdisable", "Wwarn"):
        given = getattr(options, name)
        if options.source is None and given is not None and given.endswith(".p4"):
            # `--Werror file.p4`: what argparse takes for a kind is the program.
            options.source = given
            setattr(options, name, ALL)
    _check(options)
    diagnostics = Diagnostics()
    if options.maxErrorCount is not None:
        diagnostics.limit = options.maxErrorCount
    preprocessor = PreprocessorOptions(
        tuple(options.include), tuple(options.define), tuple(options.undefine)
    )
    if options.preprocess_only:
        tokens = preprocess(options.source, preprocessor, diagnostics)
        if tokens is not None and not diagnostics.failed:
            sys.stdout.write(render(tokens))
        return _report(diagnostics, options)

    def dump(name: str, text: str) -> None:
        if name == options.dump:
            sys.stdout.write(text)

    compiled: Compiled | None = None
    try:
        compiled = compile_file(
            options.source, preprocessor, diagnostics, dump if options.dump else None
        )
    except CompileError:
        assert diagnostics.failed
    info: p4i.P4Info | None = None
    wants_info = bool(_info_files(options)) or options.p4runtime_file is not None
    if compiled is not None and wants_info:
        info = compiled.p4info(diagnostics)
    code = _report(diagnostics, options)
    if code or compiled is None:
        return code or EXIT_ERRORS
    try:
        _write(compiled, info, options)
    except OSError as problem:
        print(
            f"{PROGRAM}: error: cannot write '{problem.filename}': {problem.strerror}",
            file=sys.stderr,
        )
        return EXIT_ERRORS
    return 0


def _report(diagnostics: Diagnostics, options: argparse.Namespace) -> int:
    """Print what there is to say; the exit code so far."""
    if options.Wdisable == ALL:
        diagnostics.items = [d for d in diagnostics.items if d.severity is Severity.ERROR]
    text = diagnostics.render()
    if text:
        print(text, file=sys.stderr)
    if diagnostics.failed:
        return EXIT_ERRORS
    if options.Werror == ALL and diagnostics.items:
        print(f"{PROGRAM}: error: warnings are errors (--Werror)", file=sys.stderr)
        return EXIT_ERRORS
    return 0


def _write(compiled: Compiled, info: p4i.P4Info | None, options: argparse.Namespace) -> None:
    directory = Path(options.output)
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / Path(options.source).with_suffix(".json").name
    path.write_text(compiled.json_text(), encoding="utf-8")
    if info is None:
        return
    from p4embed.compiler.p4info import files

    for name in _info_files(options):
        files.write(info, Path(name), files.form_of(name))
    if options.p4runtime_file is not None:
        files.write(info, Path(options.p4runtime_file), options.p4runtime_format)


if __name__ == "__main__":
    sys.exit(main())
