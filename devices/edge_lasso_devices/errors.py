"""The named error of boards, links and toolchains."""


class BoardError(RuntimeError):
    """A board, link, compiler or emulator that cannot be used; the message says what to do."""
