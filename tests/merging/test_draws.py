"""The random numbers: Philox as published, the same on every path, uniform, and one stream for each expert."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch

from workbench.merging.kernels.blocks import BLOCK
from workbench.merging.kernels.device import draws as device_draws
from workbench.merging.kernels.draws import below, draw, key_of

WORD = 0xFFFFFFFF
CPU = torch.device("cpu")
LENGTHS = [1, 2, 511, 512, 513, 2047, 2048, 2049, 5000, 6 * BLOCK + 7]
KEYS = [0, 1, WORD, 1 << 32, 2**63 - 1, 2**63, 2**64 - 1, key_of(7, "model.norm.weight", "notes")]

ZEROS, ONES = ("00000000",) * 4, ("ffffffff",) * 4
PI = ("243f6a88", "85a308d3", "13198a2e", "03707344")
KNOWN = [  # philox4x32 of Random123's kat_vectors: rounds, counter, key, words
    (7, ZEROS, ZEROS[:2], "5f6fb709 0d893f64 4f121f81 4f730a48"),
    (7, ONES, ONES[:2], "5207ddc2 45165e59 4d8ee751 8c52f662"),
    (7, PI, ("a4093822", "299f31d0"), "4dfccaba 190a87f0 c47362ba b6b5242a"),
    (10, ZEROS, ZEROS[:2], "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    (10, ONES, ONES[:2], "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (10, PI, ("a4093822", "299f31d0"), "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def philox(rounds: int, counter: tuple[int, ...], key: tuple[int, int]) -> tuple[int, ...]:
    """Philox 4x32 by section 3.3 of Salmon et al. 2011: two Feistel pairs, keys stepped by a Weyl sequence."""
    (l0, r0, l1, r1), (k0, k1) = counter, key
    for i in range(rounds):
        first, second = (k0 + i * 0x9E3779B9) & WORD, (k1 + i * 0xBB67AE85) & WORD
        a, b = divmod(0xD2511F53 * l0, 1 << 32), divmod(0xCD9E8D57 * l1, 1 << 32)
        l0, r0, l1, r1 = b[0] ^ r0 ^ first, b[1], a[0] ^ r1 ^ second, a[1]
    return l0, r0, l1, r1


def plain(n: int, key: int, start: int = 0) -> np.ndarray:
    """Draws of elements [start, start + n), one by one: lane l of a counter is for quarter l of its tile of 2,048."""
    found = []
    for i in range(start, start + n):
        tile, (lane, place) = i // 2048, divmod(i % 2048, 512)
        counter = 512 * tile + place
        found.append(philox(7, (counter & WORD, counter >> 32, 0, 0), (key & WORD, key >> 32))[lane])
    return np.array(found, np.uint32)


def compiled(n: int, key: int, start: int = 0) -> np.ndarray:
    """The same by the compiled loop, tile after tile, with the key as loops/ hands it over."""
    out = np.empty(-(-n // BLOCK) * BLOCK, np.uint32)
    for tile in range(0, len(out), BLOCK):
        draw(start + tile, key - 2**64 if key >= 2**63 else key, out[tile : tile + BLOCK])
    return out[:n]


@pytest.mark.parametrize(("rounds", "counter", "key", "words"), KNOWN)
def test_the_reference_gives_the_published_answers(
    rounds: int, counter: tuple[str, ...], key: tuple[str, ...], words: str
) -> None:
    k0, k1 = (int(word, 16) for word in key)
    found = philox(rounds, tuple(int(word, 16) for word in counter), (k0, k1))
    assert " ".join(f"{word:08x}" for word in found) == words


def test_the_first_draws_of_key_zero_are_the_published_words() -> None:
    words = [0x5F6FB709, 0x0D893F64, 0x4F121F81, 0x4F730A48]
    assert compiled(BLOCK, 0)[::512].tolist() == words
    assert device_draws(BLOCK, 0, CPU)[::512].tolist() == words


@pytest.mark.parametrize("n", LENGTHS)
def test_all_paths_draw_the_same(n: int) -> None:
    for key in KEYS if n < 600 else KEYS[-2:]:
        wanted = plain(n, key)
        np.testing.assert_array_equal(compiled(n, key), wanted)
        np.testing.assert_array_equal(device_draws(n, key, CPU).numpy(), wanted.astype(np.int64))


def test_counters_beyond_32_bits_are_drawn_too() -> None:
    # Four elements a counter: the upper word counts from 2^34 elements on, where a cut-off counter would start again.
    for start in (2**34 - BLOCK, 2**34):
        np.testing.assert_array_equal(compiled(BLOCK, KEYS[-1], start), plain(BLOCK, KEYS[-1], start))
    assert not np.array_equal(compiled(BLOCK, KEYS[-1], 2**34), compiled(BLOCK, KEYS[-1]))


def test_draws_are_uniform() -> None:
    numbers = compiled(1 << 20, KEYS[-1])
    for byte in range(4):  # every bit, not only the upper ones that decide most comparisons
        counts = np.bincount(numbers >> np.uint32(8 * byte) & np.uint32(0xFF), minlength=256)
        expected = len(numbers) / 256
        chi_square = ((counts - expected) ** 2 / expected).sum()
        assert abs(chi_square - 255) < 5 * np.sqrt(2 * 255), byte  # mean 255, variance 2 * 255


def test_neighbours_experts_and_tensors_are_not_correlated() -> None:
    n = 1 << 18
    keys = [key_of(7, tensor, expert) for tensor in ("a", "b") for expert in ("notes", "codes")]
    streams = [compiled(n, key) / 2**32 - 0.5 for key in keys]
    streams += [np.roll(streams[0], step) for step in (1, 512, BLOCK)]  # in memory, in a lane, in a tile
    correlations = 12 * np.cov(np.stack(streams), bias=True)
    off = correlations[np.triu_indices(len(streams), 1)]
    assert (np.abs(off) < 5 / np.sqrt(n)).all()


@pytest.mark.parametrize("probability", [0.001, 0.3, 0.5, 0.9, 0.999])
def test_as_many_stay_as_the_density_says(probability: float) -> None:
    n = 1 << 20
    share = (compiled(n, KEYS[-1]) < below(probability)).mean()
    assert abs(share - probability) < 4 * np.sqrt(probability * (1 - probability) / n)


def test_bounds_of_probabilities() -> None:
    assert [below(p) for p in (0.0, 0.25, 0.5, 2.0**-32)] == [0, 1 << 30, 1 << 31, 1]
    assert below(1.0) == below(1.1) == WORD
    assert below(-0.1) == 0


def test_a_key_is_of_seed_tensor_and_expert() -> None:
    cases = [(s, t, e) for s in (0, 1, 2**40) for t in ("a", "b", "a.weight") for e in ("notes", "codes", "")]
    cases += [(1, "1", "1"), (11, "1", ""), (1, "11", "")]  # parts that run into one another without a separator
    assert len({key_of(*case) for case in cases}) == len(cases)
    assert all(0 <= key_of(*case) < 2**64 for case in cases)
    text = b"7\x00model.norm.weight\x00notes"  # recipes that were published give the same weights for ever
    wanted = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")
    assert key_of(7, "model.norm.weight", "notes") == wanted == 0x1EA955DA1C4D2930
