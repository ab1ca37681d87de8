"""Operations toolkit for Zen Watcher."""

__version__ = "0.1.0"
