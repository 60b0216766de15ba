"""A detector that remembers what it found in the last pictures: a conversation asks for the same things again."""

from collections import OrderedDict
from hashlib import blake2b

from PIL import Image

from instructedit_models.types import Detection, Detector

__all__ = ["RememberingDetector"]

_ANSWERS = 128
_LARGEST = 1 << 20


class RememberingDetector:
    """`types.Detector` over another one; pictures of up to a megapixel are told apart by their bytes."""

    def __init__(self, detector: Detector, answers: int = _ANSWERS) -> None:
        """Remembers the last `answers` answers."""
        self.detector = detector
        self._answers = answers
        self._known: OrderedDict[tuple[bytes, str], list[Detection]] = OrderedDict()

    def detect(self, image: Image.Image, phrase: str) -> list[Detection]:
        """As the other detector; larger pictures are always looked at again. Raises what it raises."""
        if image.width * image.height > _LARGEST:
            return self.detector.detect(image, phrase)
        key = (blake2b(image.tobytes(), digest_size=16, key=repr((image.mode, image.size)).encode()).digest(), phrase)
        if key in self._known:
            self._known.move_to_end(key)
        else:
            self._known[key] = self.detector.detect(image, phrase)
            while len(self._known) > self._answers:
                self._known.popitem(last=False)
        return list(self._known[key])

    def forget(self) -> None:
        """Looks at every picture anew, so that what a search costs does not depend on what was searched before."""
        self._known.clear()
