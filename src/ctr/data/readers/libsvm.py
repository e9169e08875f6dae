"""libSVM text, which is written as libFM's."""

from ctr.data.readers.libfm import LibFM

READER = LibFM
