"""What a character model is good for: completing, replying, and telling authors apart.

    python examples/writing_aids.py complete "the qu"           how a prefix may go on
    python examples/writing_aids.py reply "Who is there?" --speaker HAMLET
    python examples/writing_aids.py who page.txt runs/a runs/b  which model it surprises least

The models are those that `examples/shakespeare.py train` leaves in its folders; the newest run is
taken where none is named. A completion is found by beam search over characters; a reply is what the
model writes after a speech and the speaker's name, up to the next empty line; surprise is the mean
of -ln p(character | all before it), and the model of an author is the one that the author's own
text surprises least.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import shakespeare
from common import reported

from tinygrad_rnn import lm
from tinygrad_rnn.errors import DataError
from tinygrad_rnn.text import find_text

LONGEST = 600
"""Characters after which a reply is cut."""


def model_of(run: Path | None) -> lm.SavedModel:
    return lm.load_model(shakespeare.checkpoint_of(run, shakespeare.BEST))


def complete(options: argparse.Namespace) -> int:
    saved = model_of(options.run)
    end = " " if " " in saved.vocabulary else None
    found = lm.completions(
        saved.model, saved.vocabulary, options.prefix, options.count, length=options.length, end=end
    )
    for text, probability in found:
        print(f"{probability:7.2%}  {options.prefix}{text}")
    return 0


def reply(options: argparse.Namespace) -> int:
    saved = model_of(options.run)
    prime = f"{options.by}:\n{options.speech}\n\n{options.speaker}:\n"
    pieces = lm.generate(
        saved.model,
        saved.vocabulary,
        prime,
        LONGEST,
        options.temperature,
        seed=options.seed,
        unknown="skip",
    )
    print(f"{options.speaker}:")
    written = ""
    for piece in pieces:
        written += piece
        if written.rstrip("\n") and "\n\n" in written:
            break
    print(written.lstrip("\n").partition("\n\n")[0])
    return 0


def who(options: argparse.Namespace) -> int:
    models = {run: model_of(run) for run in options.runs}
    text = find_text(options.text).read()
    # All models have to judge the same characters.
    shared = [c for c in text if all(c in saved.vocabulary for saved in models.values())]
    if len(shared) < 2:
        raise DataError(f"the models know less than two characters of {options.text}")
    if len(shared) < len(text):
        print(f"{len(text) - len(shared)} characters that some model does not know are left out")
    nats = {}
    for run, saved in models.items():
        ids = saved.vocabulary.encode("".join(shared))
        nats[run] = float(np.mean(lm.surprises(saved.model, ids)))
    for run in sorted(nats, key=nats.__getitem__):
        print(f"{nats[run]:7.3f} nats a character  {run}")
    print(f"{options.text} is most like what {min(nats, key=nats.__getitem__)} was trained on.")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Complete a prefix, reply as a speaker, or tell whose text it is."
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    shown = argparse.ArgumentDefaultsHelpFormatter

    made = commands.add_parser("complete", help="how a prefix may go on", formatter_class=shown)
    made.set_defaults(command=complete)
    made.add_argument("prefix", help="what was typed so far")
    made.add_argument("run", type=Path, nargs="?", help="folder or checkpoint; the newest run")
    made.add_argument("--count", type=int, default=5, help="completions")
    made.add_argument("--length", type=int, default=20, help="the most characters of one")

    made = commands.add_parser("reply", help="answer as a speaker", formatter_class=shown)
    made.set_defaults(command=reply)
    made.add_argument("speech", help="what was said")
    made.add_argument("run", type=Path, nargs="?", help="folder or checkpoint; the newest run")
    made.add_argument("--by", default="FIRST CITIZEN", help="who said it")
    made.add_argument("--speaker", default="ROMEO", help="who replies")
    made.add_argument("--temperature", type=float, default=0.7, help="0 safe … 1 as learned")
    made.add_argument("--seed", type=int, default=0, help="the same seed gives the same reply")

    made = commands.add_parser("who", help="which model a text surprises least")
    made.set_defaults(command=who)
    made.add_argument("text", type=Path, help="a text file")
    made.add_argument("runs", type=Path, nargs="+", help="folders or checkpoints of models")

    options = parser.parse_args(arguments)
    return reported(lambda: options.command(options))


if __name__ == "__main__":
    sys.exit(main())
