import runpy


def test_the_page_says_what_the_code_says(repo_root):
    page = runpy.run_path(str(repo_root / "tools" / "contracts_readme.py"))
    assert page["PATH"].read_text() == page["render"](), "run: python tools/contracts_readme.py"
