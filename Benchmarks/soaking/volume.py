"""A small volume for the log, that can be filled and freed."""

import contextlib
import ctypes
import os
import pathlib
import shutil
import subprocess

NEW_MOUNTS = 0x00020000


class Volume:
    """An ext4 in a file, mounted where only this process and its children see it, so that it is gone with them."""

    def __init__(self, folder: pathlib.Path, size: int):
        self.folder = folder / "volume"
        self._filler = self.folder / "filler"
        self.folder.mkdir()
        image = folder / "volume.ext4"
        with open(image, "wb") as file:
            file.truncate(size)
        try:
            self._mount(image)
            self.is_small = True
            self.note = f"an ext4 of {size >> 20:,} MiB of its own"
        except (OSError, subprocess.CalledProcessError) as error:
            image.unlink()
            self.is_small = False
            self.note = f"no volume of its own, and so never full ({error})"

    def _mount(self, image: pathlib.Path) -> None:
        if os.geteuid() != 0:
            raise PermissionError("that needs root")
        if ctypes.CDLL(None, use_errno=True).unshare(NEW_MOUNTS) != 0:
            raise OSError(ctypes.get_errno(), "cannot have mounts of its own")
        for command in (
            ["mount", "--make-rprivate", "/"], ["mkfs.ext4", "-q", "-F", "-m", "0", image],
            ["mount", "-o", "loop", image, self.folder],
        ):
            subprocess.run(command, check=True, capture_output=True)

    def fill(self, share_left: float) -> None:
        """Takes up room until so much of the volume is left."""
        state = os.statvfs(self.folder)
        length = state.f_bavail * state.f_frsize - int(share_left * state.f_blocks * state.f_frsize)
        if length <= 0:
            return
        with open(self._filler, "ab") as file, contextlib.suppress(OSError):
            os.posix_fallocate(file.fileno(), file.tell(), length)

    def free(self) -> None:
        self._filler.unlink(missing_ok=True)

    def close(self) -> None:
        if self.is_small:
            subprocess.run(["umount", "-l", self.folder], check=False, capture_output=True)


def remove(folder: pathlib.Path) -> None:
    shutil.rmtree(folder)
