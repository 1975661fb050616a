"""A tiny Vosk model written by hand, for tests of the engine: random weights, three phones, two words ("ab", "b").

It hears nothing sensible, but libvosk loads it, decodes with it and gives words, confidences and partials. The acoustic model is
Kaldi's text form; the graph is OpenFst's const FST, written byte by byte, so that no FST library is needed.
"""

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PHONES, CEPS, SPLICE = 3, 13, (-2, -1, 0, 1, 2)  # phone 1 is silence
Arc = tuple[int, int, int, float]  # to state, input label (transition id), output label (word), cost


def write_vosk_model(folder: Path, seed: int = 0) -> Path:
    """All files of a model into `folder`."""
    for name in ("am", "conf", "graph/phones"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "am/final.mdl").write_text(_acoustic_model(np.random.default_rng(seed)))
    (folder / "graph/HCLG.fst").write_bytes(_const_fst(*_graph()))
    (folder / "graph/words.txt").write_text("<eps> 0\nab 1\nb 2\n")
    (folder / "graph/phones/word_boundary.int").write_text("1 nonword\n2 singleton\n3 singleton\n")
    (folder / "conf/mfcc.conf").write_text("--sample-frequency=16000\n--use-energy=false\n--num-mel-bins=23\n--num-ceps=13\n")
    (folder / "conf/model.conf").write_text(
        "--min-active=20\n--max-active=3000\n--beam=10.0\n--lattice-beam=4.0\n--acoustic-scale=1.0\n--frame-subsampling-factor=1\n"
        "--endpoint.silence-phones=1\n"
    )
    return folder


def _vector(values: NDArray[np.float64]) -> str:
    return f" [ {' '.join(f'{value:g}' for value in values)} ]\n"


def _matrix(rows: NDArray[np.float64]) -> str:
    return " [\n  " + "\n  ".join(" ".join(f"{value:g}" for value in row) for row in rows) + " ]\n"


def _acoustic_model(random: np.random.Generator) -> str:
    """Transition model, one affine layer with log-softmax, no priors."""
    states = "<State> 0 <PdfClass> 0 <Transition> 0 0.5 <Transition> 1 0.5 </State> \n<State> 1 </State> \n"
    topology = f"<Topology> \n<TopologyEntry> \n<ForPhones> \n1 2 3 \n</ForPhones> \n{states}</TopologyEntry> \n</Topology> \n"
    triples = "<Triples> 3\n1 0 0 \n2 0 1 \n3 0 2 \n</Triples> \n"
    transitions = (
        f"<TransitionModel> \n{topology}{triples}<LogProbs> \n{_vector(np.log([1.0] + [0.5] * 6))}</LogProbs> \n</TransitionModel> \n"
    )
    spliced = ", ".join(f"Offset(input, {at})" if at else "input" for at in SPLICE)
    config = (
        f"<Nnet3> \ninput-node name=input dim={CEPS}\ncomponent-node name=affine component=affine input=Append({spliced})\n"
        "component-node name=logsm component=logsm input=affine\noutput-node name=output input=logsm objective=linear\n\n"
    )
    weights = 0.1 * random.normal(size=(PHONES, CEPS * len(SPLICE)))
    affine = f"<ComponentName> affine <FixedAffineComponent> <LinearParams> {_matrix(weights)}<BiasParams> {_vector(np.zeros(PHONES))}"
    softmax = (
        f"<ComponentName> logsm <LogSoftmaxComponent> <Dim> {PHONES} <ValueAvg>  [ ]\n<DerivAvg>  [ ]\n"
        "<Count> 0 <OderivRms>  [ ]\n<OderivCount> 0 <NumDimsSelfRepaired> 0 <NumDimsProcessed> 0 </LogSoftmaxComponent> \n"
    )
    layers = f"<NumComponents> 2 \n{affine}</FixedAffineComponent> \n{softmax}</Nnet3> \n"
    return f"{transitions}{config}{layers}<LeftContext> 2 <RightContext> 2 <Priors>  [ ]\n"


def _graph() -> tuple[list[list[Arc]], set[int]]:
    """Silence, then "ab" (phones 2, 3) or "b" (phone 3), again and again; transition ids: loop 2p-1, forward 2p."""
    arcs: list[list[Arc]] = [[] for _ in range(5)]

    def phone(start: int, end: int, which: int, word: int, cost: float) -> None:
        arcs[start].append((end, 2 * which, word, cost))
        arcs[end].append((end, 2 * which - 1, 0, 0.7))

    phone(0, 1, 1, 0, 0.1)
    phone(1, 2, 2, 1, 0.5)
    phone(2, 3, 3, 0, 0.1)
    phone(1, 4, 3, 2, 0.5)
    for end in (3, 4):
        arcs[end].append((0, 0, 0, 0.1))
    return arcs, {0, 1, 3, 4}


def _const_fst(arcs: list[list[Arc]], finals: set[int]) -> bytes:
    """OpenFst's binary const FST, version 2 (unaligned), tropical weights, start state 0."""

    def text(name: str) -> bytes:
        return struct.pack("<i", len(name)) + name.encode()

    expanded = 0x1
    head = struct.pack("<i", 2125659606) + text("const") + text("standard")
    head += struct.pack("<iiQqqq", 2, 0, expanded, 0, len(arcs), sum(map(len, arcs)))
    states, place = b"", 0
    for state, leaving in enumerate(arcs):
        silent_in, silent_out = (sum(arc[side] == 0 for arc in leaving) for side in (1, 2))
        states += struct.pack("<fIIII", 0.0 if state in finals else float("inf"), place, len(leaving), silent_in, silent_out)
        place += len(leaving)
    return head + states + b"".join(struct.pack("<iifi", label, word, cost, to) for leaving in arcs for to, label, word, cost in leaving)
