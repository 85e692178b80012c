"""Rows that share 13 words in a row with a test set, by source: no question is made of them.

MEDEC's validation cases were made of the same exam questions as its test cases and as MedQA's and MMLU's test sets;
ACI-Bench's notes share set phrases. Found with `workbench.data.overlap` against the test splits of all tasks. A list,
so that the questions are the same where the test sets are not at hand; tests/benchmarks/test_topics.py checks them.
"""

from __future__ import annotations

_MEDEC = (
    "2 6 10 20 24 30 36 52 54 58 66 70 73 80 84 87 97 99 101 114 116 117 121 123 125 134 136 138 142 146 148 "
    "152 159 163 173 177 183 185 196 200 202 211 213 215 217 223 225 232 234 236 240 244 249 251 252 253 254 "
    "263 270 272 274 282 287 291 293 294 295 303 305 307 309 312 315 319 323 328 330 332 336 340 342 344 353 "
    "357 359 373 389 391 392 395 396 398 403 409 411 413 421 423 428 431 433 439 449 451 455 459 466 468 472 "
    "476 480 481 483 485 494 500 506 508 510 518 524 526 528 530 537 539 542 546 549 555 557 559 563 567 569 "
    "572"
)
_ACI = "001 004 017 040 050 067 068 069 077 083 086"

IN_TEST_SETS: dict[str, frozenset[str]] = {
    "medec-ms": frozenset(f"ms-val-{number}" for number in _MEDEC.split()),
    "aci-bench": frozenset(f"D2N{number}" for number in _ACI.split()),
}
