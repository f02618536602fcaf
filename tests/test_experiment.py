import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import BadInput
from orchestrator.experiment import find_experiment, load_experiment, seconds, size_in_bytes


@pytest.mark.parametrize(("text", "value"), [("2h", 7200), ("90s", 90), ("1h30m", 5400), (5, 5), ("1.5m", 90)])
def test_lengths_of_time(text, value):
    assert seconds(text) == value


@pytest.mark.parametrize(("text", "value"), [("16GB", 16e9), ("512 MB", 512e6), ("2G", 2e9), (7, 7), ("10", 10)])
def test_sizes(text, value):
    assert size_in_bytes(text) == value


@given(st.text(max_size=10))
def test_any_text_is_a_length_of_time_or_a_value_error(text):
    try:
        assert seconds(text) >= 0
    except ValueError as error:
        assert "length of time" in str(error)


def test_an_unknown_experiment_is_told_with_those_there_are():
    with pytest.raises(BadInput, match="sae_variants"):
        find_experiment("no_such_thing")


def test_a_folder_without_experiment_py_is_told(tmp_path):
    with pytest.raises(BadInput, match=r"no experiment\.py"):
        find_experiment(str(tmp_path))


@pytest.mark.parametrize("text", ["name = ", 'name = "x"\ntimeout = "soon"', 'name = "x"\nunknown = 1', "x = 1"])
def test_bad_settings_name_the_file(tmp_path, text):
    (tmp_path / "experiment.toml").write_text(text)
    with pytest.raises(BadInput, match=r"experiment\.toml"):
        load_experiment(tmp_path)


def test_a_template_folder_of_the_ai_scientist_is_taken_as_it_stands(tmp_path):
    (tmp_path / "run_0").mkdir()
    (tmp_path / "experiment.py").write_text("'''x'''")
    (tmp_path / "run_0" / "final_info.json").write_text('{"shakespeare": {"means": {"val_loss": 1.47}}}')
    experiment = load_experiment(tmp_path)
    assert [m.name for m in experiment.metrics] == ["shakespeare.means.val_loss"]


def test_the_shipped_experiment_loads():
    experiment = load_experiment(find_experiment("sae_variants"))
    assert experiment.primary in {m.name for m in experiment.metrics}
    assert {b.name for b in experiment.baselines} == {"standard", "topk"}


def test_a_command_keeps_a_folder_with_spaces_in_one_word(tmp_path):
    experiment = load_experiment(find_experiment("sae_variants"))
    assert experiment.argv(experiment.command, "a b/run_1")[-1] == "--out_dir=a b/run_1"
