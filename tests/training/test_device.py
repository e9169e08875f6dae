"""Threads and precision: what the machine has decides, and what was decided is said."""

import platform

import pytest
import torch

from ctr.errors import UserError
from ctr.training import device
from ctr.training.device import autocast, find_precision, use_threads

CPU, CUDA = torch.device("cpu"), torch.device("cuda:0")
AMX, AVX = {"amx_bf16": True, "avx512_bf16": True}, {"amx_bf16": False, "avx512_bf16": True}
FASTER, SLOWER, UNKNOWN = True, False, None


@pytest.mark.parametrize(
    ("choice", "units", "bf16", "expected"),
    [
        ("auto", AMX, FASTER, ("bf16", "bf16 by AMX")),
        ("auto", AVX, FASTER, ("bf16", "bf16 by AVX-512")),
        ("auto", AVX, SLOWER, ("fp32", "fp32, faster here than bf16 by AVX-512")),
        ("auto", {"avx2": True}, UNKNOWN, ("fp32", "fp32")),
        ("fp32", AMX, UNKNOWN, ("fp32", "fp32")),
        ("fp32", {}, UNKNOWN, ("fp32", "fp32")),
        ("bf16", AVX, FASTER, ("bf16", "bf16 by AVX-512")),
        ("bf16", AVX, SLOWER, ("bf16", "bf16 by AVX-512, slower than fp32")),
        ("bf16", {}, UNKNOWN, ("bf16", "bf16 without units for it on this CPU, slower than fp32")),
    ],
    ids=str,
)
def test_on_a_cpu_its_units_and_their_speed_decide_where_the_choice_is_left_open(
    monkeypatch, choice, units, bf16, expected
):
    def measured():
        assert bf16 is not UNKNOWN, "nothing to measure here"
        return bf16

    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: units)
    monkeypatch.setattr(device, "bf16_is_faster", measured)
    assert find_precision(choice, CPU) == expected


@pytest.mark.parametrize("slow", [torch.float32, torch.bfloat16], ids=str)
def test_the_faster_precision_is_the_one_whose_products_take_less_time(monkeypatch, slow):
    now = [0.0]

    def linear(x, w):
        assert x.dtype == w.dtype
        now[0] += 2.0 if x.dtype == slow else 1.0

    monkeypatch.setattr(torch.nn.functional, "linear", linear)
    monkeypatch.setattr(device.time, "perf_counter", lambda: now[0])
    assert device.bf16_is_faster.__wrapped__() == (slow == torch.float32)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the names are those of x86")
def test_torch_knows_the_units_by_the_names_that_are_looked_for():
    assert set(AMX) <= set(torch.cpu.get_capabilities())


@pytest.mark.parametrize(
    ("choice", "has", "expected"),
    [
        ("auto", True, ("bf16", "bf16 by tensor cores")),
        ("auto", False, ("fp32", "fp32")),
        ("fp32", True, ("fp32", "fp32")),
        ("fp32", False, ("fp32", "fp32")),
        ("bf16", True, ("bf16", "bf16 by tensor cores")),
    ],
    ids=str,
)
def test_on_a_gpu_its_tensor_cores_do(gpu, choice, has, expected):
    gpu.append(has)
    assert find_precision(choice, CUDA) == expected


def test_bf16_on_a_gpu_without_it_is_refused_with_the_alternative(gpu):
    gpu.append(False)
    with pytest.raises(UserError, match="precision=bf16: GeForce 256 has no bf16 units; use precision=fp32"):
        find_precision("bf16", CUDA)


@pytest.fixture
def gpu(monkeypatch):
    """A GPU with bf16 units or, with the False that a test puts into the list, without; emulation is none."""
    units = []
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device=None: "GeForce 256")

    def supported(including_emulation=True):
        return including_emulation or units[0]

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    return units


def test_any_other_device_gets_fp32(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: AMX)
    assert find_precision("auto", torch.device("meta")) == ("fp32", "fp32")


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_matrix_products_are_made_in_the_precision(precision, dtype):
    with autocast(CPU, precision):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype


def test_threads_are_set_or_left_to_torch_and_returned():
    assert use_threads(2) == torch.get_num_threads() == 2
    assert use_threads(None) == torch.get_num_threads() == 2


@pytest.mark.parametrize("count", [0, -1])
def test_fewer_than_one_thread_is_refused(count):
    with pytest.raises(UserError, match=f"threads must be at least 1, found {count}"):
        use_threads(count)
    assert torch.get_num_threads() == 1


@pytest.mark.skipif(not torch.set_flush_denormal(False), reason="this processor cannot flush them")
def test_denormal_numbers_are_flushed():
    tiny = torch.full((8,), 1e-38)
    assert (tiny / 100).all()
    use_threads(1)
    assert not (tiny / 100).any()
