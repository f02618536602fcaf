import json

import pytest

from orchestrator.errors import BadInput
from orchestrator.idea import load_idea

GOOD = {"Name": "a", "Title": "A title", "Experiment": "Do it.", "Novelty": 3}


def write(tmp_path, data):
    path = tmp_path / "idea.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


def test_an_idea_keeps_the_fields_that_have_no_place_of_their_own(tmp_path):
    assert load_idea(write(tmp_path, GOOD)).others == {"Novelty": 3}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("{", "not JSON"),
        ("[]", "list of 0 ideas"),
        ('"text"', "a string"),
        ({**GOOD, "Title": ""}, "'Title': is empty"),
        ({**GOOD, "Title": "  "}, "'Title'"),
        ({"Name": "a", "Title": "b"}, "'Experiment': is required"),
        ({**GOOD, "Name": 3}, "'Name'"),
        ([GOOD, {**GOOD, "Name": "b"}], "--idea NAME (there are: a, b)"),
    ],
)
def test_a_bad_idea_is_told_with_file_and_field(tmp_path, data, says):
    with pytest.raises(BadInput, match=r"idea.json") as error:
        load_idea(write(tmp_path, data))
    assert says in str(error.value)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(BadInput, match="no such file"):
        load_idea(tmp_path / "none.json")


def test_one_of_a_list_is_chosen_by_name(tmp_path):
    assert load_idea(write(tmp_path, [GOOD, {**GOOD, "Name": "b"}]), "b").Name == "b"


def test_a_name_becomes_a_folder_that_stays_in_place(tmp_path):
    assert "/" not in load_idea(write(tmp_path, {**GOOD, "Name": "../../etc x"})).slug
