"""Which device, number format and thread count a model runs with."""

import os
from pathlib import Path

import psutil
import torch

_TOPOLOGY = Path("/sys/devices/system/cpu")
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory")
_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_MEMORY_LIMIT = Path("/sys/fs/cgroup/memory.max")
_MEMORY_USED = Path("/sys/fs/cgroup/memory.current")


def choose_device(wanted: str | None = None) -> torch.device:
    """Return the device named, or the first CUDA device, or the CPU."""
    if wanted is not None:
        return torch.device(wanted)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def choose_dtype(device: torch.device) -> torch.dtype:
    """Return bfloat16 where the hardware multiplies in it, else float32.

    A CPU counts when it has AMX tiles or AVX-512 BF16 instructions; elsewhere bfloat16 is
    emulated and slower than float32.
    """
    # SmolLM2-135M, 64 rows, two cores: an EPYC with avx512_bf16 and without AMX spends 84 ms of
    # a decode step in matrix products in bfloat16, 172 ms in float32. With AMX the gap widens.
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        native = any(capabilities.get(name) for name in ("amx_bf16", "amx_tile", "avx512_bf16"))
    else:
        native = False
    return torch.bfloat16 if native else torch.float32


def use_all_cores() -> None:
    """Let torch use each physical core this process may run on, unless OMP_NUM_THREADS is set."""
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(physical_cores())


def available_bytes(device: torch.device) -> int:
    """Return the memory that this process may still take on a device, its container's limit kept.

    A device of another kind than CPU and CUDA does not tell: it counts as the CPU.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free)
    free = int(psutil.virtual_memory().available)
    try:
        limit = int(_MEMORY_LIMIT.read_text())
        used = int(_MEMORY_USED.read_text())
    except (OSError, ValueError):  # no cgroup v2, or "max"
        return free
    return max(0, min(free, limit - used))


def physical_cores() -> int:
    """Count the physical cores open to this process: affinity, siblings and container quota."""
    if not hasattr(os, "sched_getaffinity"):
        return int(torch.get_num_threads())
    logical = os.sched_getaffinity(0)
    cores = len({_siblings(cpu) for cpu in logical})
    return max(1, min(cores, _quota() or cores))


def _siblings(cpu: int) -> str:
    try:
        return (_TOPOLOGY / f"cpu{cpu}/topology/thread_siblings_list").read_text().strip()
    except OSError:
        return str(cpu)


def _quota() -> int | None:
    """Whole cores of the container's CPU quota, or None without one."""
    try:
        limit, period = _CPU_QUOTA.read_text().split()
        return max(1, int(limit) // int(period))
    except (OSError, ValueError):  # no cgroup v2, or "max"
        return None


def is_out_of_memory(problem: Exception) -> bool:
    """Tell whether memory ran out: torch's CPU allocator raises a plain RuntimeError."""
    return isinstance(problem, MemoryError) or says_out_of_memory(str(problem))


def says_out_of_memory(message: str) -> bool:
    """Tell whether an error's message is of memory that ran out."""
    return any(words in message.lower() for words in _OUT_OF_MEMORY)
