"""Jobs files: what they may hold, and the line and sentence of every mistake."""

import json
from pathlib import Path

import pytest

from agent.api import settings_for
from agent.script import Script, load_script
from instructedit_models.errors import BadParameterError
from tools.context import EditOverrides

CONTRACT = """\
defaults: {models: miniature, llm: offline, seed: 0}
jobs:
  - {name: a, image: a.png, instruction: "make the car red"}
  - {name: b, image: b.png, turns: ["make the car red", "a bit stronger", "undo", "turn the tree into a lamp"]}
"""


def load(tmp_path: Path, text: str, name: str = "jobs.yaml", roots: tuple[Path, ...] = ()) -> Script:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return load_script(path, roots)


def refused(tmp_path: Path, text: str, name: str = "jobs.yaml", roots: tuple[Path, ...] = ()) -> str:
    with pytest.raises(BadParameterError) as caught:
        load(tmp_path, text, name, roots)
    sentence = str(caught.value)
    assert "\n" not in sentence and len(sentence) < 500
    return sentence.replace(f"{tmp_path}/", "")


def test_the_contract(tmp_path: Path) -> None:
    jobs = load(tmp_path, CONTRACT).jobs
    assert [(job.name, job.models, job.llm, job.seed) for job in jobs] == [
        ("a", "miniature", "offline", 0),
        ("b", "miniature", "offline", 0),
    ]
    assert jobs[0].image == str(tmp_path / "a.png") and jobs[0].said == ("make the car red",)
    assert jobs[1].said == ("make the car red", "a bit stronger", "undo", "turn the tree into a lamp")
    assert jobs[0].overrides == EditOverrides(seed=0) and jobs[0].overrides.sweeps == 2 and not jobs[0].yes


def test_a_job_goes_before_the_defaults(tmp_path: Path) -> None:
    text = CONTRACT.replace("name: a,", "name: a, seed: 5, encoding_ratio: 1, steps: 20, retries: 0, yes: true,")
    job = load(tmp_path, text).jobs[0]
    assert job.overrides == EditOverrides(seed=5, encoding_ratio=1, steps=20, retries=0) and job.yes


def test_a_strength_set_by_hand_is_not_retried_unless_asked(tmp_path: Path) -> None:
    text = CONTRACT.replace("name: a,", "name: a, encoding_ratio: 0.5,")
    first, second = load(tmp_path, text).jobs
    assert (first.overrides.sweeps, second.overrides.sweeps) == (0, 2)
    again = load(tmp_path, text.replace("ratio: 0.5,", "ratio: 0.5, retries: 1,")).jobs[0]
    assert again.overrides.sweeps == 1 and again.digest("x") != first.digest("x")
    assert settings_for(again.overrides).retries == 1 and settings_for(first.overrides).retries == 0


MASKED = """\
defaults: {llm: offline, mask_feather: 4}
jobs:
  - name: a
    image: a.png
    mask: masks/roof.png
    mask_mode: intersect
    turns:
      - make the roof red
      - {say: a bit stronger, mask: null}
      - {say: paint it blue, mask: other.png, mask_mode: add, mask_grow: 3, fill_holes: true}
"""


def test_masks_of_a_job_and_of_a_turn(tmp_path: Path) -> None:
    (job,) = load(tmp_path, MASKED).jobs
    assert job.said == ("make the roof red", "a bit stronger", "paint it blue")
    first, second, third = job.masking
    assert (first.mask, first.mask_mode) == (str(tmp_path / "masks" / "roof.png"), "intersect")
    assert second.mask is None and {one.mask_feather for one in job.masking} == {4}
    assert (third.mask, third.mask_mode) == (str(tmp_path / "other.png"), "add")
    assert third.mask_grow == 3 and third.fill_holes and not first.fill_holes
    assert job.mask_files == (first.mask, third.mask)
    rows = "name,image,instruction,mask,mask_mode,mask_grow,invert_mask\na,a.png,make it red,m.png,add,2,yes\n"
    (job,) = load(tmp_path, rows, "jobs.csv").jobs
    assert job.masking[0].fixed() == {
        "mask": str(tmp_path / "m.png"), "mask_mode": "add", "invert_mask": True, "mask_grow": 2
    }  # fmt: skip


def test_the_digest_follows_the_masks(tmp_path: Path) -> None:
    (job,) = load(tmp_path, MASKED).jobs
    roof, other = job.mask_files
    same = job.digest("x", {roof: "1", other: "2"})
    assert same != job.digest("x", {roof: "3", other: "2"})
    moved = load(tmp_path, MASKED.replace("masks/roof", "roof").replace("other.png", "another.png")).jobs[0]
    assert moved.digest("x", dict(zip(moved.mask_files, "12", strict=True))) == same
    grown = load(tmp_path, MASKED.replace("grow: 3", "grow: 4")).jobs[0]
    assert grown.digest("x", {roof: "1", other: "2"}) != same


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("mask_mode: intersect", "mask_mode: xor"), "line 6: 'mask_mode': input should be 'replace'"),
        (("mask: masks/roof.png", "mask: 7"), "line 5: 'mask': input should be a valid string, not 7"),
        (("mask_grow: 3", "mask_grow: -1"), "line 10: 'turns.2.mask_grow': input should be greater than or equal"),
        (("say: paint", "sya: paint"), "'turns.2"),
        (("say: paint it blue", "say: ''"), "line 10: 'turns.2.say': an instruction is empty"),
        (("make the roof red", "[make the roof red]"), "line 7: 'turns': a turn must be words in quotes"),
        (("mask: null", "mask: null, mask_mode: add"), "line 3: 'mask_mode' says how 'mask' meets what is found"),
        (("feather: 4", "feather: 4000"), "line 1: 'mask_feather': input should be less than or equal"),
    ],
)
def test_mistakes_in_masks_are_told(tmp_path: Path, change: tuple[str, str], sentence: str) -> None:
    text = MASKED.replace(*change)
    assert text != MASKED
    assert f"jobs.yaml, {sentence}" in refused(tmp_path, text) or sentence in refused(tmp_path, text)


def test_masks_stay_inside_the_roots(tmp_path: Path) -> None:
    inside = tmp_path / "pictures"
    inside.mkdir()
    text = MASKED.replace("a.png", "pictures/a.png").replace("other.png", "pictures/other.png")
    assert "line 5: the mask 'masks/roof.png' lies outside" in refused(tmp_path, text, roots=(inside,))
    text = text.replace("masks/", "pictures/").replace("pictures/other.png", "../other.png")
    assert "line 10: the mask '../other.png' lies outside" in refused(tmp_path, text, roots=(inside,))


def test_jsonl_and_csv_say_the_same(tmp_path: Path) -> None:
    wanted = load(tmp_path, CONTRACT).jobs
    lines = [
        json.dumps({"defaults": {"models": "miniature", "llm": "offline", "seed": 0}}),
        json.dumps({"name": "a", "image": "a.png", "instruction": "make the car red"}),
        "",
        json.dumps({"name": "b", "image": "b.png", "turns": list(wanted[1].said)}),
    ]
    assert load(tmp_path, "\n".join(lines), "jobs.jsonl").jobs == wanted
    rows = (
        "name,image,instruction,turns,llm,seed\n"
        "a,a.png,make the car red,,offline,0\n"
        'b,b.png,,"make the car red | a bit stronger|undo |turn the tree into a lamp",offline,0\n'
    )
    assert load(tmp_path, rows, "jobs.csv").jobs == wanted
    assert load(tmp_path, json.dumps({"jobs": [json.loads(lines[1])]}), "jobs.json").jobs[0].seed is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("name: b,", "name: A,"), "line 4: the job name 'A' was used before, on line 3"),
        (("name: b,", "name: ../b,"), "line 4: the name '../b' must begin with a letter"),
        (("name: b,", "name: summary,"), "line 4: the name 'summary' is taken"),
        (("name: b,", ""), "line 4: the job has no 'name'"),
        (("name: b,", "name: b, colour: red,"), "line 4: unknown key 'colour'"),
        (("name: b,", "name: b, seed: -1,"), "line 4: 'seed': input should be greater than or equal to 0, not -1"),
        (("name: b,", "name: b, seed: one,"), "line 4: 'seed': input should be a valid integer, not 'one'"),
        (("name: b,", "name: 7,"), "line 4: 'name': input should be a valid string, not 7; put it in quotes"),
        (("name: b,", "name: b, retries: 9,"), "line 4: 'retries': input should be less than or equal to 5"),
        (("name: b,", "name: b, instruction: x,"), "line 4: a job needs either 'instruction' or 'turns'"),
        (('"undo"', '""'), "line 4: 'turns': an instruction is empty"),
        (("seed: 0}", "speed: 0}"), "line 1: unknown key 'speed'"),
        (("jobs:", "tasks:"), "line 2: unknown key 'tasks'"),
        (("name: b,", "name: b, name: c,"), "line 4: the key 'name' comes twice"),
        (("  - {name: b", "  - {name: [b"), "line 4: this is no YAML"),
        (("seed: 0}", "seed: &x 0}"), "line 1: anchors and aliases are not read"),
        (("image: b.png", "image: !!python/object:os.system b"), "line 4: the tag 'tag:yaml.org,2002:python"),
    ],
)
def test_mistakes_are_told_with_their_line(tmp_path: Path, change: tuple[str, str], sentence: str) -> None:
    text = CONTRACT.replace(*change)
    assert text != CONTRACT
    found = refused(tmp_path, text)
    assert f"jobs.yaml, {sentence}" in found


def test_a_mistake_deep_in_a_job_is_told_with_its_own_line(tmp_path: Path) -> None:
    text = "jobs:\n  - name: a\n    image: a.png\n    turns:\n      - make it red\n      - ''\n    seed: x\n"
    assert "line 7: 'seed'" in refused(tmp_path, text.replace("''", "undo"))
    assert "line 4: 'turns': an instruction is empty" in refused(tmp_path, text.replace("seed: x", "seed: 1"))


def test_a_yaml_bomb_is_refused_at_once(tmp_path: Path) -> None:
    levels = ["a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    levels += [f"{b}: &{b} [{', '.join(['*' + a] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    assert "anchors and aliases are not read" in refused(tmp_path, "\n".join(levels) + "\njobs: *i\n")
    for depth in (13, 5000):
        assert "nested more than 12 levels" in refused(tmp_path, "jobs: " + "[" * depth + "]" * depth)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("jobs.txt", CONTRACT, "is no script; its name must end in .yaml"),
        ("jobs.yaml", "", "expected 'defaults' and 'jobs'"),
        ("jobs.yaml", "- a\n- b\n", "expected 'defaults' and 'jobs'"),
        ("jobs.yaml", "jobs: []\n", "line 1: 'jobs' must be a list of one job or more"),
        ("jobs.yaml", "jobs:\n  - a\n", "line 2: a job must be a mapping"),
        ("jobs.yaml", "defaults: 3\njobs:\n  - {name: a}\n", "line 1: 'defaults' must be a mapping"),
        ("jobs.jsonl", '{"name": "a"}\n{"name": \n', "line 2: this is no JSON object"),
        ("jobs.jsonl", '{"name": "a", "name": "b"}\n', "line 1: this is no JSON object (a key comes twice)"),
        ("jobs.csv", "name,name\na,b\n", "line 1: a column comes twice"),
        ("jobs.csv", "name,image,instruction\na,b,c,d\n", "line 2: more cells than columns"),
        ("jobs.csv", "name,image,instruction,steps\na,b,c,many\n", "line 2: 'steps': input should be a valid integer"),
    ],
)
def test_files_that_are_no_scripts(tmp_path: Path, name: str, text: str, sentence: str) -> None:
    assert sentence in refused(tmp_path, text, name)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BadParameterError, match="No such file"):
        load_script(tmp_path / "none.yaml")
    (tmp_path / "jobs.yaml").write_bytes(b"jobs: \xff\xfe")
    with pytest.raises(BadParameterError, match="no text in UTF-8"):
        load_script(tmp_path / "jobs.yaml")


def test_pictures_stay_inside_the_roots(tmp_path: Path) -> None:
    inside = tmp_path / "pictures"
    inside.mkdir()
    (inside / "link.png").symlink_to(tmp_path / "secret.png")
    script = CONTRACT.replace("image: a.png", "image: pictures/a.png").replace("b.png", "{}")
    assert load(tmp_path, script.replace("{}", "pictures/b.png"), roots=(inside,)).jobs
    for outside in ("b.png", "pictures/../b.png", "/etc/passwd", "pictures/link.png"):
        sentence = refused(tmp_path, script.replace("{}", outside), roots=(inside,))
        assert f"line 4: the picture '{outside}' lies outside" in sentence


def test_the_digest_follows_what_the_result_depends_on(tmp_path: Path) -> None:
    first, second = load(tmp_path, CONTRACT).jobs
    renamed = load(tmp_path, CONTRACT.replace("name: a", "name: z")).jobs[0]
    other = load(tmp_path, CONTRACT.replace("seed: 0", "seed: 1")).jobs[0]
    assert first.digest("x") == renamed.digest("x") != first.digest("y")
    assert len({first.digest("x"), second.digest("x"), other.digest("x")}) == 3
