"""Conversions and their downloads, from a server on this machine that has tiny files in upstream's formats."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import zipfile
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from workbench.cli import fetch as verb
from workbench.data import conversions
from workbench.data.catalogue import SOURCES
from workbench.data.converted import CONVERTED
from workbench.data.source import Conversion, RemoteFile, Source
from workbench.data.sources import fetch, missing, path_of, to_download
from workbench.errors import DataMissing

TABLE = {source.name: source for source in CONVERTED}

ANNOTATIONS = """\
UserID,PromptID,PMCID,Valid Label,Valid Reasoning,Label,Annotations,Label Code,In Abstract,Evidence Start,Evidence End
0,12,700,True,True,significantly decreased,"Pain fell.
 ",-1,UNK,1,2
1,12,700,True,True,significantly decreased,"Pain fell a lot, they said.",-1,UNK,1,2
1,12,700,True,False,significantly decreased,Its reasoning was found invalid and so it is left out.,-1,UNK,1,2
0,13,700,True,True,significantly increased,Two wordings.,1,UNK,1,2
1,13,700,True,True,significantly increase,Two wordings.,1,UNK,1,2
0,9,800,True,True,significantly increase,"Sleep — ""longer"".",1,UNK,1,2
1,9,800,False,True,no significant difference,Its label was found invalid.,0,UNK,1,2
0,10,800,True,False,no significant difference,Nobody validated this.,0,UNK,1,2
0,14,700,True,True,invalid prompt,Asks nothing.,0,UNK,1,2
0,15,990,True,True,no significant difference,Of an article of version 1.,0,UNK,1,2
"""
PROMPTS = """\
PromptID,PMCID,Outcome,Intervention,Comparator
9,800,sleep, tea,"water, cold "
10,800,mood,tea,water
12,700,pain,balm,placebo
13,700,itch,balm,placebo
14,700,x,y,z
15,990,x,y,z
"""
EVIDENCE = [
    {
        "prompt_id": "9",
        "pmcid": "800",
        "split": "validation",
        "outcome": "sleep",
        "intervention": "tea",
        "comparator": "water, cold",
        "label": "significantly increased",
        "evidence": 'Sleep — "longer".',
    },
    {
        "prompt_id": "12",
        "pmcid": "700",
        "split": "train",
        "outcome": "pain",
        "intervention": "balm",
        "comparator": "placebo",
        "label": "significantly decreased",
        "evidence": "Pain fell a lot, they said.",
    },
]
EVIDENCE_UPSTREAM = {
    "v2_annotations.csv": ANNOTATIONS,
    "prompts_merged.csv": PROMPTS,
    "ev2_train_article_ids.txt": "700\n",
    "ev2_validation_article_ids.txt": "800\n",
    "ev2_test_article_ids.txt": "900\n",
}


def pair(question: str, answer: str) -> str:
    return f'<QAPair><Question qid="1-1" qtype="information">{question}</Question><Answer>{answer}</Answer></QAPair>'


def document(pairs: str, focus: str = "Hiccups", key: str = 'id="0000001"') -> str:
    return f'<Document {key} url="http://a.b/c"><Focus>{focus}</Focus><QAPairs>{pairs}</QAPairs></Document>'


MEDQUAD = {
    "MedQuAD-77/readme.txt": "not a document",
    "MedQuAD-77/2_B_QA/0000001.xml": document(pair("Why?", "Early.  One\tspace."), key='fid="0000001"'),
    "MedQuAD-77/1_A_QA/0000002.xml": document(pair("How?", "Stops &lt; 2 days.") + pair("Who?", "Anyone.")),
    "MedQuAD-77/1_A_QA/0000001.xml": document(
        pair(" What? ", "First \n  \n\n    second\n   - item   one ") + pair("Who?", "  \n"), focus=" "
    ),
    "MedQuAD-77/1_A_QA/0000003.xml": document(pair("Who?", "Anyone.")),
    "MedQuAD-77/1_A_QA/0000004.xml": "<doc><qaPairs><pair><question>Old?</question></pair></qaPairs></doc>",
    "MedQuAD-77/10_C_QA/0000001.xml": document(pair("Removed?", "")),
}

CODIESP_ROOT = "CLEF-9/datasets/final_dataset_v3_to_publish"
CODIESP = {
    "CLEF-9/README.md": "",
    f"{CODIESP_ROOT}/train/trainD.tsv": "S2\tr52\nS1\tn44.8\nS2\ta23.9\n",
    f"{CODIESP_ROOT}/train/trainP.tsv": "S2\tbw20\n",
    f"{CODIESP_ROOT}/train/text_files_en/S2.txt": "Second case. 40º\n",
    f"{CODIESP_ROOT}/train/text_files_en/S1.txt": "First case.\nTwo lines.",
    f"{CODIESP_ROOT}/train/text_files/S1.txt": "Primer caso.",
    f"{CODIESP_ROOT}/dev/devD.tsv": "S3\tz99.2\n",
    f"{CODIESP_ROOT}/dev/devP.tsv": "",
    f"{CODIESP_ROOT}/dev/text_files_en/S3.txt": "Third case.",
    **{f"{CODIESP_ROOT}/test/text_files_en/T{i:04d}.txt": f"Case {i}.\n" for i in range(1, 1_803)},
}


def zipped(files: Mapping[str, str]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return file.getvalue()


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_evidence_keeps_prompts_on_which_all_valid_annotations_agree(tmp_path: Path) -> None:
    for name, text in EVIDENCE_UPSTREAM.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    conversions.evidence_inference(tmp_path, tmp_path / "made")
    assert lines(tmp_path / "made") == EVIDENCE
    first = (tmp_path / "made").read_bytes().split(b"\n")[0]
    assert first.startswith(b'{"prompt_id": "9", "pmcid": "800", "split": "validation", "outcome": "sleep", ')
    assert first.endswith('"evidence": "Sleep — \\"longer\\"."}'.encode())


def test_roco_keeps_the_captions_whose_image_is_free(tmp_path: Path) -> None:
    for split in ("test", "validation"):
        captions = f"ROCO_1\t Chest film, {split}. \nROCO_2\tA second\ttab.\nROCO_4\tNo licence row.\n"
        (tmp_path / f"{split}_captions.txt").write_text(captions)
        rows = "ROCO_ID,PMC_ID,CC\nROCO_1,PMC1_a.jpg,CC BY\nROCO_2,PMC2_b.jpg,CC BY-NC\nROCO_3,PMC3_c.jpg,CC0\n"
        (tmp_path / f"{split}_licences.txt").write_text(rows)
    conversions.roco(tmp_path, tmp_path / "made")
    first, second = (json.loads(line) for line in (tmp_path / "made").read_text().splitlines())
    assert first == {
        "id": "ROCO_1", "split": "test", "image": "PMC1_a.jpg", "license": "CC BY", "caption": "Chest film, test.",
    }  # fmt: skip
    assert second["split"] == "validation"


def test_medqa_drops_the_phrases_and_orders_the_keys(tmp_path: Path) -> None:
    (tmp_path / "phrases_no_exclude_test.jsonl").write_text(
        '{"question": "38°C?", "answer": "Tea", "options": {"A": "Tea", "B": "Ice"}, "meta_info": "step1", '
        '"answer_idx": "A", "metamap_phrases": ["c"]}\n',
        encoding="utf-8",
    )
    conversions.medqa(tmp_path, tmp_path / "made")
    assert (tmp_path / "made").read_text(encoding="utf-8") == (
        '{"question": "38°C?", "options": {"A": "Tea", "B": "Ice"}, "answer_idx": "A", "answer": "Tea", '
        '"meta_info": "step1"}\n'
    )


def test_medquad_keeps_each_answered_pair_once_in_the_order_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "medquad.zip").write_bytes(zipped(MEDQUAD))
    conversions.medquad(tmp_path, tmp_path / "made")
    common = {"url": "http://a.b/c", "qtype": "information"}
    a, b = {"source": "1_A_QA", "doc": "0000001"}, {"source": "2_B_QA", "doc": None}
    assert lines(tmp_path / "made") == [
        {**a, **common, "focus": "", "question": "What?", "answer": "First \n\n second\n - item one"},
        {**a, **common, "focus": "Hiccups", "question": "How?", "answer": "Stops < 2 days."},
        {**a, **common, "focus": "Hiccups", "question": "Who?", "answer": "Anyone."},
        {**b, **common, "focus": "Hiccups", "question": "Why?", "answer": "Early. One space."},
    ]


def test_codiesp_joins_english_texts_with_their_codes(tmp_path: Path) -> None:
    (tmp_path / "codiesp.zip").write_bytes(zipped(CODIESP))
    conversions.codiesp_labelled(tmp_path, tmp_path / "made")
    assert lines(tmp_path / "made") == [
        {"id": "S1", "split": "train", "text": "First case.\nTwo lines.", "icd10_dx": ["n44.8"], "icd10_px": []},
        {"id": "S2", "split": "train", "text": "Second case. 40º", "icd10_dx": ["r52", "a23.9"], "icd10_px": ["bw20"]},
        {"id": "S3", "split": "dev", "text": "Third case.", "icd10_dx": ["z99.2"], "icd10_px": []},
    ]
    conversions.codiesp_background(tmp_path, tmp_path / "background")
    background = lines(tmp_path / "background")
    assert (len(background), background[0]) == (1_800, {"id": "T0001", "text": "Case 1."})
    assert background[-1] == {"id": "T1800", "text": "Case 1800."}


class Upstream:
    """What the server has: path -> bytes. A path in `cut` promises twice the bytes that it sends."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.files: dict[str, bytes] = {}
        self.cut: set[str] = set()
        self.asked: list[str] = []


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path[1:]
            found.asked.append(name)
            if name not in found.files:
                self.send_error(404)
                return
            body = found.files[name]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body) * (2 if name in found.cut else 1)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Upstream(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        server.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("WORKBENCH_MIRROR", raising=False)
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


Declare = Callable[[Source], str]


@pytest.fixture
def declare(monkeypatch: pytest.MonkeyPatch) -> Declare:
    def declared(source: Source) -> str:
        monkeypatch.setitem(SOURCES, source.name, source)
        return source.name

    return declared


def made_of(
    upstream: Upstream, name: str, convert: Callable[[Path, Path], None], sha256: str, items: int, file: str
) -> RemoteFile:
    return RemoteFile(file, None, sha256, Conversion(((name, f"{upstream.address}/{name}"),), convert, items))


def evidence(upstream: Upstream) -> Source:
    """The real declaration's conversion, on the tiny files, with their sha256."""
    upstream.files |= {name: text.encode() for name, text in EVIDENCE_UPSTREAM.items()}
    rows = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in EVIDENCE)
    [real] = TABLE["evidence-inference"].files
    assert real.conversion is not None
    names = [name for name, _ in real.conversion.inputs]
    conversion = replace(real.conversion, inputs=tuple((n, f"{upstream.address}/{n}") for n in names), items=2)
    sha256 = hashlib.sha256(rows.encode()).hexdigest()
    return Source("tiny", "MIT", "nobody", (replace(real, sha256=sha256, conversion=conversion),))


def files_in(cache: Path) -> list[str]:
    return sorted(str(path.relative_to(cache)) for path in cache.rglob("*"))


def test_fetch_downloads_converts_and_keeps_the_result_alone(cache: Path, upstream: Upstream, declare: Declare) -> None:
    name = declare(evidence(upstream))
    assert missing(name) is not None
    assert to_download(name) == [f"{upstream.address}/{file}" for file in EVIDENCE_UPSTREAM]
    [path] = fetch(name, progress=False)
    assert path == path_of(name, "evidence_inference_v2.jsonl") == cache / "tiny" / "evidence_inference_v2.jsonl"
    assert lines(path) == EVIDENCE
    assert files_in(cache) == ["tiny", "tiny/evidence_inference_v2.jsonl"]
    assert sorted(upstream.asked) == sorted(EVIDENCE_UPSTREAM)
    assert fetch(name, progress=False) == [path]
    assert len(upstream.asked) == len(EVIDENCE_UPSTREAM)  # and nothing was asked for again
    assert to_download(name) == []


def test_the_verb_shows_licence_and_addresses_before_it_downloads(
    cache: Path,
    upstream: Upstream,
    declare: Declare,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []

    def watched(source: str) -> list[Path]:
        said.append(capsys.readouterr().out)
        return fetch(source)

    monkeypatch.setenv("TQDM_DISABLE", "1")  # the verb sets it
    monkeypatch.setattr(verb, "fetch", watched)
    assert verb.main(Namespace(sources=[declare(evidence(upstream))])) == 0
    output = capsys.readouterr()
    assert said[0].split()[:3] == ["tiny", "MIT", "nobody"]
    assert said[0].split()[3:] == [f"{upstream.address}/{file}" for file in EVIDENCE_UPSTREAM]
    assert output.out.split() == ["at", "hand", "1", "file,", "0.0", "MB"]
    assert output.err.count("100%") >= len(EVIDENCE_UPSTREAM)  # a bar for each


def test_another_upstream_is_refused_with_both_digests_and_counts(
    cache: Path, upstream: Upstream, declare: Declare
) -> None:
    source = evidence(upstream)
    name = declare(source)
    upstream.files["v2_annotations.csv"] += b"0,10,800,True,True,significantly increased,New.,1,UNK,1,2\n"
    added = {**EVIDENCE[0], "prompt_id": "10", "outcome": "mood", "comparator": "water", "evidence": "New."}
    rows = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in (EVIDENCE[0], added, EVIDENCE[1]))
    with pytest.raises(DataMissing) as caught:
        fetch(name, progress=False)
    assert str(caught.value) == (
        f"tiny/evidence_inference_v2.jsonl cannot be made of {upstream.address}/v2_annotations.csv and 4 more: "
        f"the result, 3 items of sha256 {hashlib.sha256(rows.encode()).hexdigest()[:12]}, differs from the pinned "
        f"2 of {str(source.files[0].sha256)[:12]} and is not kept. "
        "Point WORKBENCH_MIRROR at a folder that holds tiny/evidence_inference_v2.jsonl."
    )
    assert files_in(cache) == []


def test_another_format_is_refused_by_what_it_lacks(cache: Path, upstream: Upstream, declare: Declare) -> None:
    name = declare(evidence(upstream))
    upstream.files["v2_annotations.csv"] = b"PromptID,Answer\n9,yes\n"
    with pytest.raises(DataMissing, match=r"^tiny/evidence_inference_v2\.jsonl cannot be made of .*KeyError: 'Valid "):
        fetch(name, progress=False)
    upstream.files["v2_annotations.csv"] = b"<html>\xff</html>"
    with pytest.raises(DataMissing, match=r"cannot be made of .*\(UnicodeDecodeError: "):
        fetch(name, progress=False)
    assert files_in(cache) == []


def test_a_page_in_the_place_of_an_archive_is_refused(cache: Path, upstream: Upstream, declare: Declare) -> None:
    upstream.files["medquad.zip"] = b"<html>moved</html>"
    file = made_of(upstream, "medquad.zip", conversions.medquad, "0" * 64, 4, "medquad.jsonl")
    with pytest.raises(DataMissing, match=r"medquad\.zip \(BadZipFile: File is not a zip file\)\.$"):
        fetch(declare(Source("tiny", "CC BY 4.0", "nobody", (file,))), progress=False)
    assert files_in(cache) == []


@pytest.mark.parametrize("broken", ["prompts_merged.csv", "ev2_test_article_ids.txt"])
def test_an_interrupted_download_leaves_nothing(broken: str, cache: Path, upstream: Upstream, declare: Declare) -> None:
    name = declare(evidence(upstream))
    upstream.cut.add(broken)
    with pytest.raises(DataMissing, match=rf"^{upstream.address}/{broken} could not be fetched \(ChunkedEncoding"):
        fetch(name, progress=False)
    assert files_in(cache) == []
    upstream.cut.clear()
    del upstream.files[broken]
    with pytest.raises(DataMissing, match=rf"^{upstream.address}/{broken} could not be fetched \(HTTPError: 404"):
        fetch(name, progress=False)
    assert files_in(cache) == []


def test_the_user_can_interrupt_a_conversion(cache: Path, upstream: Upstream, declare: Declare) -> None:
    def interrupted(_: Path, target: Path) -> None:
        target.write_text("half")
        raise KeyboardInterrupt

    upstream.files["a.txt"] = b"text"
    file = made_of(upstream, "a.txt", interrupted, "0" * 64, 1, "a.jsonl")
    with pytest.raises(KeyboardInterrupt):
        fetch(declare(Source("tiny", "MIT", "nobody", (file,))), progress=False)
    assert files_in(cache) == []


def test_a_plain_file_with_another_checksum_is_not_kept(cache: Path, upstream: Upstream, declare: Declare) -> None:
    upstream.files["a.json"] = b"{}"
    file = RemoteFile("renamed.json", f"{upstream.address}/a.json", hashlib.sha256(b"[]").hexdigest())
    name = declare(Source("tiny", "MIT", "nobody", (file,)))
    with pytest.raises(DataMissing, match=rf"^{upstream.address}/a\.json could not be fetched \(ValueError: "):
        fetch(name, progress=False)
    assert list(cache.rglob("*.json")) == []
    upstream.files["a.json"] = b"[]"
    assert fetch(name, progress=False) == [cache / "tiny" / "renamed.json"]


PRIMOCK57 = {
    "primock57-c/README.md": "top",
    "primock57-c/notes/README.md": "about notes",
    "primock57-c/notes/day1_consultation02.json": "[]",
    "primock57-c/notes/day1_consultation01.json": "{}",
    "primock57-c/transcripts/day1_consultation01_doctor.TextGrid": "File type",
    "primock57-c/audio/day1.wav": "not wanted",
    "primock57-c/scripts/notes/deeper.json": "not wanted",
}


def folder_checksum(**files: str) -> str:
    """The checksum of a folder, worked out from names and contents."""
    rows = (f"{name}\0{hashlib.sha256(text.encode()).hexdigest()}\n" for name, text in sorted(files.items()))
    return hashlib.sha256("".join(rows).encode()).hexdigest()


def primock57(upstream: Upstream) -> Source:
    upstream.files["primock57.zip"] = zipped(PRIMOCK57)
    notes = folder_checksum(**{"day1_consultation01.json": "{}", "day1_consultation02.json": "[]"})
    transcripts = folder_checksum(**{"day1_consultation01_doctor.TextGrid": "File type"})
    files = (
        made_of(upstream, "primock57.zip", conversions.notes, notes, 2, "notes"),
        made_of(upstream, "primock57.zip", conversions.transcripts, transcripts, 1, "transcripts"),
    )
    return Source("tiny", "CC BY 4.0", "nobody", files)


def test_two_folders_come_out_of_one_archive_that_is_asked_for_once(
    cache: Path, upstream: Upstream, declare: Declare
) -> None:
    name = declare(primock57(upstream))
    assert fetch(name, progress=False) == [cache / "tiny" / "notes", cache / "tiny" / "transcripts"]
    assert upstream.asked == ["primock57.zip"]
    assert path_of(name, "notes/day1_consultation01.json").read_text() == "{}"
    assert files_in(cache) == [
        "tiny",
        "tiny/notes",
        "tiny/notes/day1_consultation01.json",
        "tiny/notes/day1_consultation02.json",
        "tiny/transcripts",
        "tiny/transcripts/day1_consultation01_doctor.TextGrid",
    ]


@pytest.mark.parametrize("damage", ["altered", "added", "lost"])
def test_a_folder_with_another_file_is_refused_and_fetched_anew(
    damage: str, cache: Path, upstream: Upstream, declare: Declare
) -> None:
    name = declare(primock57(upstream))
    notes, _ = fetch(name, progress=False)
    note = notes / "day1_consultation01.json"
    (notes / "README.md").write_text("says nothing of the data")
    assert path_of(name, "notes") == notes
    if damage == "altered":
        note.write_text("[]")
    elif damage == "added":
        (notes / "mine.json").write_text("{}")
    else:
        note.unlink()
    with pytest.raises(DataMissing, match=rf"^{notes}: checksum .* differs from the pinned "):
        path_of(name, "notes")
    assert fetch(name, progress=False)[0] == notes
    assert sorted(path.name for path in notes.iterdir()) == ["day1_consultation01.json", "day1_consultation02.json"]
    assert note.read_text() == "{}"


def test_a_cache_that_cannot_be_written_is_named(
    upstream: Upstream, declare: Declare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WORKBENCH_MIRROR", raising=False)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DataMissing, match=r"cache cannot be written \(.*Set WORKBENCH_CACHE to a folder\.$"):
        fetch(declare(evidence(upstream)), progress=False)


def test_the_table_is_whole() -> None:
    assert list(TABLE) == ["roco-ccby-captions", "evidence-inference", "medquad", "codiesp-en", "primock57", "mirage"]
    for source in CONVERTED:
        assert source.licence
        for file in source.files:
            assert (file.url is None) != (file.conversion is None), file.name
            assert file.sha256 is not None
            assert len(file.sha256) == 64
            for address in file.addresses:
                assert address.startswith(("https://raw.githubusercontent.com/", "https://github.com/"))
                assert any(len(part.removesuffix(".zip")) == 40 for part in address.split("/")), "no pinned commit"
