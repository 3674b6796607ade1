import json

import pytest

from moviegen import doctor


def test_everything_needed_is_found_here(capsys):
    assert doctor.main(["--json"]) == 0
    findings = {finding["topic"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert findings["java"]["state"] == findings["ffmpeg"]["state"] == "ok"
    assert int(findings["java"]["detail"].split()[1]) >= 17
    assert "ffmpeg version" in findings["ffmpeg"]["detail"]
    assert "pyspark" in findings["curation"]["detail"]


def test_what_is_missing_comes_with_its_command(monkeypatch, capsys):
    monkeypatch.setitem(doctor.ROLES, "curation", ("no-such-package-here",))
    assert doctor.main([]) == 4
    assert 'pip install "moviegen[curation]"' in capsys.readouterr().out


@pytest.mark.parametrize("bad", ["2.6.2", "2.6.3"])
def test_versions_that_were_malware_are_named(monkeypatch, bad):
    monkeypatch.setattr(doctor, "version", lambda package: bad)
    (finding,) = doctor._role("training", ("lightning",))
    assert (finding.state, "GHSA" in finding.detail) == ("bad", True)


def test_an_optional_role_is_not_a_fault():
    assert {finding.state for finding in doctor._role("yolo", ("no-such-package-here",))} == {"optional"}
