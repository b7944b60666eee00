import pytest

from ai_library_bot.readers.gutenberg import without_licence
from ai_library_bot.types import Section

START = "*** START OF THE PROJECT GUTENBERG EBOOK THE LAMP ***"
END = "*** END OF THE PROJECT GUTENBERG EBOOK THE LAMP ***"


@pytest.mark.parametrize(
    ("texts", "book"),
    [
        ([f"Licence\n\n{START}", "One", f"Two\n\n{END}\n\nLicence", "More licence"], ["One", "Two"]),
        (["Licence", f"Licence {START}\n\nOne", "Two", END], ["One", "Two"]),
        ([f"{START}\n\nOne\n\nEnd of the Project Gutenberg EBook\n\nLicence"], ["One"]),
        (["One", "End of the line", "Two"], ["One", "End of the line", "Two"]),
        (["One", f"Two {END}"], ["One", f"Two {END}"]),
    ],
)
def test_only_the_book_is_left(texts: list[str], book: list[str]) -> None:
    sections = [Section(("I",), text) for text in texts]
    assert [section.text for section in without_licence(sections)] == book
