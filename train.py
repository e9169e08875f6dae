"""Trains what the config says: `python train.py model=nfm dataset=frappe`. See README.md."""

from pathlib import Path

from ctr.app.cli import train

if __name__ == "__main__":
    train(Path(__file__).parent.resolve() / "configs")
