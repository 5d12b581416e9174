"""A file is imported after a dry run, once accepted; a dataset version is created from the labels."""

from __future__ import annotations

import pytest

from datasets_app.datasets.models import Item, Upload
from tests.support.datasets import make_dataset

CONTENT = "text,label\nmy card is lost,card\nmoney back please,refund\nwhere is my card,card\n"


@pytest.fixture
def inbox(project, mia):
    return make_dataset(project, mia, "Inbox")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(CONTENT)
    return path


def test_without_accept_nothing_is_imported_and_the_dry_run_is_printed(as_person, mia, inbox, file, site):
    result = as_person(mia)("datasets", "upload", str(file), "--dataset", inbox.slug)

    upload = Upload.objects.get()
    assert (result.code, result.err, result.waits) == (0, "", [])
    assert result.out.splitlines() == [
        f"File     rows.csv, {len(CONTENT)} bytes, utf-8",
        "Rows     3: 3 usable, 0 rejected",
        "Columns  text → text, label → label",
        "Labels   card 2, refund 1",
        "",
        "Nothing is imported yet.",
        f"Accept it with: lifecycle datasets upload {upload.uuid} --accept",
        f"Or on {site}/datasets/uploads/{upload.uuid}/",
    ]
    assert (upload.state, Item.objects.count()) == ("inspected", 0)


def test_accept_imports_it_and_stays_until_the_job_is_done(as_person, mia, inbox, file):
    result = as_person(mia)(
        "datasets", "upload", str(file), "--dataset", inbox.slug, "--accept", "--origin", "help desk"
    )

    upload = Upload.objects.get()
    assert (result.code, result.waits) == (0, [2.0])
    assert result.err == "Waiting for a worker\n"
    assert result.out.splitlines()[-1] == "Imported 3 new items; 0 duplicates, 0 rejected rows."
    assert (upload.state, upload.labels_as, upload.origin, Item.objects.count()) == (
        "imported",
        "decisions",
        "help desk",
        3,
    )


def test_an_earlier_dry_run_is_accepted_by_its_uuid(as_person, mia, inbox, file):
    command = as_person(mia)
    command("datasets", "upload", str(file), "--dataset", inbox.slug)

    result = command(
        "datasets", "upload", str(Upload.objects.get().uuid), "--accept", "--labels-as", "suggestions"
    )

    assert result.code == 0
    assert (Upload.objects.get().state, Upload.objects.get().labels_as) == ("imported", "suggestions")


def test_json_is_the_upload_as_the_api_gives_it(as_person, mia, inbox, file):
    result = as_person(mia)("datasets", "upload", str(file), "--dataset", inbox.slug, "--accept", "--json")

    assert (result.code, result.err) == (0, "")
    assert (result.json["state"], result.json["rows_new"], result.json["rows_duplicate"]) == (
        "imported",
        3,
        0,
    )


def test_row_errors_are_printed_line_by_line(as_person, mia, inbox, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("text,label\nmy card is lost,card\n,refund\n")

    result = as_person(mia)("datasets", "upload", str(path), "--dataset", inbox.slug)

    assert result.code == 0
    assert "Rows     2: 1 usable, 1 rejected" in result.out
    assert [line for line in result.out.splitlines() if line.startswith("Line 3: ")]


def test_a_file_that_cannot_be_read_is_refused_with_what_to_do(as_person, mia, inbox, tmp_path, site):
    path = tmp_path / "numbers.csv"
    path.write_text("a\n")

    result = as_person(mia)("datasets", "upload", str(path), "--dataset", inbox.slug, "--accept")

    upload = Upload.objects.get()
    assert (result.code, result.out) == (1, "")
    assert (
        result.err.splitlines()[-1]
        == "The file can't be imported as it is parsed now. Fix it, or choose how to parse it on"
        f" {site}/datasets/uploads/{upload.uuid}/"
    )
    assert (upload.state, Item.objects.count()) == ("inspected", 0)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["rows.csv"], "There is no file rows.csv.\n"),
        (["{file}"], "Name the file's dataset: --dataset SLUG.\n"),
        (["{folder}", "--dataset", "inbox"], "{folder} isn't a file.\n"),
    ],
)
def test_mistakes_in_the_call_are_refused_before_anything_is_sent(as_person, mia, file, words, error):
    places = {"file": str(file), "folder": str(file.parent)}

    result = as_person(mia)("datasets", "upload", *(word.format(**places) for word in words))

    assert (result.code, result.out, result.err) == (2, "", error.format(**places))
    assert not Upload.objects.exists()


def test_a_dataset_of_others_is_one_that_is_not_there(as_person, otto, inbox, file):
    result = as_person(otto)("datasets", "upload", str(file), "--dataset", inbox.slug)

    assert (result.code, result.err) == (
        1,
        (
            f"There is no dataset {inbox.slug}, or you don't have access. Check its name, and whose token"
            " this is: lifecycle whoami\n"
        ),
    )
    assert not Upload.objects.exists()


def test_a_token_without_the_scope_gets_an_error_naming_it(as_person, mia, inbox, file):
    result = as_person(mia, "read")("datasets", "upload", str(file), "--dataset", inbox.slug)

    assert (result.code, result.err) == (
        1,
        (
            "This token lacks the scope label. Create a token with that scope in your profile, then:"
            " lifecycle login\n"
        ),
    )
    assert not Upload.objects.exists()


def test_creating_a_dataset_version_prints_how_to_train_on_it(as_person, mia, inbox, tmp_path):
    path = tmp_path / "many.csv"
    path.write_text(
        "text,label\n"
        + "".join(f"message {at} about cards,{'card' if at % 2 else 'refund'}\n" for at in range(40))
    )
    command = as_person(mia)
    command("datasets", "upload", str(path), "--dataset", inbox.slug, "--accept")

    result = command("dataset-versions", "create", inbox.slug, "--note", "first")

    assert result.code == 0, result.err
    assert result.out.splitlines()[0].startswith(f"{inbox.slug}@1: 40 rows; train ")
    assert result.out.splitlines()[1] == f"Train on it: lifecycle runs launch {inbox.slug}@1 --watch"
    assert inbox.snapshots.get().note == "first"


def test_a_dataset_without_decisions_is_not_frozen(as_person, mia, inbox):
    result = as_person(mia)("dataset-versions", "create", inbox.slug)

    assert (result.code, result.out) == (1, "")
    assert result.err
    assert not inbox.snapshots.exists()


VOTES = "text,who,label\nmy card is lost,w1,card\nmy card is lost,w2,refund\n"


def test_a_column_of_annotators_and_what_contradicts_are_chosen_in_the_call(as_person, mia, inbox, tmp_path):
    path, command = tmp_path / "votes.csv", as_person(mia)
    path.write_text(VOTES)

    assert command("datasets", "upload", str(path), "--dataset", inbox.slug, "--accept").code == 1
    upload = Upload.objects.get()
    assert (upload.state, Item.objects.count()) == ("inspected", 0)
    command("datasets", "upload", str(upload.uuid), "--contradicting", "unlabeled")
    upload.refresh_from_db()
    assert (upload.contradicting, upload.report["dry_run"]["blocked"]) == ("unlabeled", False)

    assert command("datasets", "upload", str(upload.uuid), "--map", "who=annotator", "--accept").code == 0
    upload.refresh_from_db()
    assert (upload.state, upload.mapping["who"], upload.report["dry_run"]["people"]) == (
        "imported",
        "annotator",
        {"w1": 1, "w2": 1},
    )


def test_a_column_that_the_file_does_not_have_is_named(as_person, mia, inbox, file):
    result = as_person(mia)(
        "datasets", "upload", str(file), "--dataset", inbox.slug, "--map", "who=annotator"
    )

    assert (result.code, result.err) == (2, "The file has no column who; it has text, label.\n")


def test_values_of_the_label_column_are_mapped_from_the_command(as_person, mia, inbox, file):
    result = as_person(mia)(
        "datasets",
        "upload",
        str(file),
        "--dataset",
        inbox.slug,
        "--value",
        "card=lost card",
        "--value",
        "refund=",
    )

    assert result.code == 0
    assert "Values   card → lost card, refund → no label" in result.out.splitlines()
    assert Upload.objects.get().label_values == {"card": "lost card", "refund": ""}
    assert (
        as_person(mia)("datasets", "upload", str(file), "--dataset", inbox.slug, "--value", "card").code == 2
    )
