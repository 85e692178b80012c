"""Sources of CLUE+ that only their reader's own agreement gives: no address, no checksum, and nothing of them here."""

from __future__ import annotations

from workbench.data.source import RemoteFile, Source

PHYSIONET = "PhysioNet Credentialed Health Data License 1.5.0"

CREDENTIALED = (
    Source(
        "mednli",
        PHYSIONET,
        "MedNLI, Romanov & Shivade 2018 (EMNLP), physionet.org/content/mednli/1.0.0",
        (RemoteFile("mli_test_v1.jsonl"),),
        obtain="With a PhysioNet credential, download mli_test_v1.jsonl from https://physionet.org/content/mednli/1.0.0/.",
    ),
    Source(
        "pls",
        PHYSIONET,
        "Problem list summarization, BioNLP 2023 task 1A, Gao et al. 2023, "
        "physionet.org/content/bionlp-workshop-2023-task-1a/2.0.0",
        (RemoteFile("BioNLP2023-1A-Test.csv"),),
        obtain="With a PhysioNet credential, download BioNLP2023-1A-Test.csv from "
        "https://physionet.org/content/bionlp-workshop-2023-task-1a/2.0.0/.",
    ),
    Source(
        "medisumqa",
        PHYSIONET,
        "MeDiSumQA, Dada et al. 2025 (CL4Health), from MIMIC-IV-Note, physionet.org/content/medisumqa/1.0.0",
        (RemoteFile("MeDiSumQA.json"),),
        obtain="With a PhysioNet credential, download the pairs from https://physionet.org/content/medisumqa/1.0.0/ "
        "or build them from MIMIC-IV-Note 2.2 with data/MeDiSumQA of https://github.com/TIO-IKIM/CLUE, and save them "
        "as MeDiSumQA.json (a JSON array or JSON lines).",
    ),
    Source(
        "medisumcode",
        PHYSIONET,
        "MeDiSumCode, Dada et al. 2024 (CLUE), from MIMIC-IV 2.2 and MIMIC-IV-Note 2.2, github.com/TIO-IKIM/CLUE",
        (RemoteFile("MeDiSumCode.json"),),
        obtain="With a PhysioNet credential for MIMIC-IV 2.2 and MIMIC-IV-Note 2.2, build MeDiSumCode.json with "
        "data/MeDiSumCode/generate_code_dataset.py of https://github.com/TIO-IKIM/CLUE.",
    ),
    Source(
        "rrs-qa",
        "data use agreement of MEDIQA 2021 task 3 (AIcrowd)",
        "Radiology report summarization, MEDIQA 2021 task 3, Ben Abacha et al. 2021 (BioNLP), "
        "github.com/abachaa/MEDIQA2021",
        (RemoteFile("rrs_qa.jsonl"),),
        obtain="Get the 600 test reports of MEDIQA 2021 task 3 under its agreement "
        "(https://github.com/abachaa/MEDIQA2021), let a language model that the agreement allows turn each impression "
        "into question-answer pairs in the impression's own words, and write rrs_qa.jsonl: one JSON object a line with "
        "findings, question and answer.",
    ),
    Source(
        "shac",
        "n2c2 data use agreement (DBMI portal)",
        "Social History Annotation Corpus, Lybarger et al. 2021 and 2023 (2022 n2c2/UW shared task, track 2)",
        (RemoteFile("shac_test.zip"),),
        obtain="Get the annotations of the task under its agreement (https://n2c2.dbmi.hms.harvard.edu/2022-track-2) "
        "and zip the folder Annotations/test, with its .txt and .ann files, as shac_test.zip.",
    ),
)
