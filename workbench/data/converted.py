"""The sources whose files upstream does not have as they are: converted, renamed, or many in one archive.

A table like catalogue.py. The sha256 of a converted file is that of what conversions.py must make.
"""

from __future__ import annotations

from workbench.data import conversions
from workbench.data.source import Conversion, RemoteFile, Source, github_archive, raw_github

_EVIDENCE = ("jayded/evidence-inference", "b9831b6c59b52ac2d277f757d413ececf0949a8d")
_MEDQUAD = ("abachaa/MedQuAD", "577bd37b96c02d1833b2c9eed2de9f96964e96cb")
_CODIESP = ("guilopgar/CLEF-2020-CodiEsp", "9f3d5694ee4641e1c4b1c18fc60fe3d6c4326f0e")
_PRIMOCK57 = ("babylonhealth/primock57", "cd2ac707ad03cb4d2531f4ec6b90c659bf4357c5")
_MIRAGE = ("Teddy-XiongGZ/MIRAGE", "392943af99cd94cafd50a0de2e7fca24bbf65494")

_EVIDENCE_FILES = (
    "v2_annotations.csv",
    "prompts_merged.csv",
    "splits/ev2_train_article_ids.txt",
    "splits/ev2_validation_article_ids.txt",
    "splits/ev2_test_article_ids.txt",
)
_ROCO = ("razorx89/roco-dataset", "a1f0ad6c578ca8801e5a6eccc90af051aee1c326")
_PHRASES = "phrases_no_exclude_test.jsonl"


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _mmlu(subject: str, sha256: str) -> RemoteFile:
    """One subject's test questions, a byte copy under a name that tells MMLU's apart."""
    return RemoteFile(
        f"mmlu_{subject}_test.csv", raw_github(*_MIRAGE, f"rawdata/mmlu/data/test/{subject}_test.csv"), sha256
    )


CONVERTED: tuple[Source, ...] = (
    Source(
        "roco-ccby-captions",
        "CC BY or CC0, by image",
        "ROCO, Pelka et al. 2018 (LABELS), captions of images under CC BY or CC0, github.com/razorx89/roco-dataset",
        (
            RemoteFile(
                "roco_radiology_captions_ccby.jsonl",
                sha256="4d902743c5ba27ef85c52693444399572e68b0ff8f8c7147b0f1f88bc8c9a697",
                conversion=Conversion(
                    tuple(
                        (f"{split}_{file}", raw_github(*_ROCO, f"data/{split}/radiology/{file}"))
                        for split in ("test", "validation")
                        for file in ("captions.txt", "licences.txt")
                    ),
                    conversions.roco,
                    6_834,
                ),
            ),
        ),
    ),
    Source(
        "evidence-inference",
        "MIT",
        "Evidence Inference 2.0, DeYoung et al. 2020 (BioNLP), github.com/jayded/evidence-inference",
        (
            RemoteFile(
                "evidence_inference_v2.jsonl",
                sha256="b7f134cef356a40402e7c4b0a74277831e9497af413397e1e347b7bbf4dc8014",
                conversion=Conversion(
                    tuple((_last(file), raw_github(*_EVIDENCE, f"annotations/{file}")) for file in _EVIDENCE_FILES),
                    conversions.evidence_inference,
                    1_895,
                ),
            ),
        ),
    ),
    Source(
        "medquad",
        "CC BY 4.0",
        "MedQuAD, Ben Abacha & Demner-Fushman 2019 (BMC Bioinformatics), github.com/abachaa/MedQuAD",
        (
            RemoteFile(
                "medquad.jsonl",
                sha256="9e81eeb0b04a7d151a4d7c73fe4ae46525e9deee6bd74cd945e9bb869d329552",
                conversion=Conversion((("medquad.zip", github_archive(*_MEDQUAD)),), conversions.medquad, 16_346),
            ),
        ),
    ),
    Source(
        "codiesp-en",
        "CC BY 4.0 (as the corpus is listed at Zenodo; the repository states no licence)",
        "CodiEsp, Miranda-Escalada et al. 2020 (CLEF eHealth), its English machine translation, "
        "doi 10.5281/zenodo.3625746, github.com/guilopgar/CLEF-2020-CodiEsp",
        (
            RemoteFile(
                "codiesp_en_train_dev.jsonl",
                sha256="1932d17a5152279bb32e3da233617005c54d360dd90ad08bc1bfb6235f629f28",
                conversion=Conversion((("codiesp.zip", github_archive(*_CODIESP)),), conversions.codiesp_labelled, 750),
            ),
            RemoteFile(
                "codiesp_en_background_unlabelled.jsonl",
                sha256="7960e8e2ca30b8e6516adfb702be367d4ddeda3c8d067371b16896cf167bbc7f",
                conversion=Conversion(
                    (("codiesp.zip", github_archive(*_CODIESP)),), conversions.codiesp_background, 1_800
                ),
            ),
        ),
    ),
    Source(
        "primock57",
        "CC BY 4.0",
        "PriMock57, Papadopoulos Korfiatis et al. 2022 (ACL), github.com/babylonhealth/primock57",
        (
            RemoteFile(
                "notes",
                sha256="495263358c48e0d560fbd923288680cee54bd0e3df31ad0d2bb418ac03bb718c",
                conversion=Conversion((("primock57.zip", github_archive(*_PRIMOCK57)),), conversions.notes, 57),
            ),
            RemoteFile(
                "transcripts",
                sha256="94acc36835d8554dfb776544cdf823cfa9b743c4e387801a736a14d659b7f2bc",
                conversion=Conversion((("primock57.zip", github_archive(*_PRIMOCK57)),), conversions.transcripts, 114),
            ),
        ),
    ),
    Source(
        "mirage",
        "MIT (MedQA, MedMCQA, MMLU, each as declared upstream; the collection itself is US government work)",
        "MedQA, Jin et al. 2021; MedMCQA, Pal et al. 2022 (CHIL); MMLU, Hendrycks et al. 2021 (ICLR); "
        "through MIRAGE, Xiong et al. 2024 (ACL Findings), github.com/Teddy-XiongGZ/MIRAGE",
        (
            RemoteFile(
                "medqa_us_4opt_test.jsonl",
                sha256="9ec6a0d81dfc56ed344b383fac2279764d093a3ab87e5dacadabdb9825063205",
                conversion=Conversion(
                    (
                        (
                            _PHRASES,
                            raw_github(*_MIRAGE, f"rawdata/medqa/data_clean/questions/US/4_options/{_PHRASES}"),
                        ),
                    ),
                    conversions.medqa,
                    1_273,
                ),
            ),
            RemoteFile(
                "medmcqa_dev.json",
                raw_github(*_MIRAGE, "rawdata/medmcqa/data/dev.json"),
                "a2b5f53890f4e742b728378fb847bc5338088d48ea01218676379f587270af31",
            ),
            _mmlu("anatomy", "966dfd5c4579885ebdb8c05d6754ae5834f672632586d8595be3c0f9360e6f4e"),
            _mmlu("clinical_knowledge", "06a1ea973000d5ef5d2664c4ac1c68d0423f1cab6b3b682be7942633740811f1"),
            _mmlu("college_biology", "e1204cb9d19887ea266145f038b5d4cc1fbc33d7efce186259c4ecca1cbe3119"),
            _mmlu("college_medicine", "9c533cfff89edaa317b2e79bbabcdd5e2e522e019679cb4a6475e5f2a1861b1e"),
            _mmlu("medical_genetics", "cc30c698e94f12c00e610a39c62d1a1d9587fa53c005359317346081f722c5e6"),
            _mmlu("professional_medicine", "a034bf0dda10cb0848bdd3097eb1547d61ca2dac9e9b871563691621c38d51e9"),
        ),
    ),
)
