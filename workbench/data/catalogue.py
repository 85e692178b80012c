"""The sources of data: files at a pinned commit with their sha256, licence and attribution. A table, nothing else."""

from __future__ import annotations

from workbench.data.converted import CONVERTED
from workbench.data.corpora.clinical_sources import CLINICAL_SOURCES
from workbench.data.corpora.pubmed_sources import SOURCES_PUBMED
from workbench.data.corpora.reference_sources import SOURCES_REFERENCE
from workbench.data.credentialed import CREDENTIALED
from workbench.data.source import RemoteFile, Source, from_github

SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        Source(
            "icd10cm",
            "public domain (US government tables; ICD-10 base (c) WHO)",
            "ICD-10-CM tabular list, NCHS / CMS, through the Python package simple-icd-10-cm (MIT)",
            package="simple-icd-10-cm",
        ),
        Source(
            "mts-dialog",
            "CC BY 4.0",
            "MTS-Dialog, Ben Abacha et al. 2023 (EACL), github.com/abachaa/MTS-Dialog",
            from_github(
                "abachaa/MTS-Dialog",
                "3ff0801933608d6f570468c13125125fb5cabdea",
                "Main-Dataset/",
                ("MTS-Dialog-TrainingSet.csv", "65a28681dd59fc159681ea026e44610f2af7bc64a0e7f892d763eb03d9f503dc"),
                ("MTS-Dialog-ValidationSet.csv", "227206520c4534381c0d7fba6d3f09319a9af5a6d9603a93c0341af1198e3958"),
                (
                    "MTS-Dialog-TestSet-1-MEDIQA-Chat-2023.csv",
                    "b4d38dd2c99b2e9860099abcf653f1e0f3e9b69f9fcc45be2a2699b37a4d2f37",
                ),
                (
                    "MTS-Dialog-TestSet-2-MEDIQA-Sum-2023.csv",
                    "226644466ed3af82382b327a3e684aab70aa605b96cfd93b04f584f1826ab1a6",
                ),
            ),
        ),
        Source(
            "aci-bench",
            "CC BY 4.0",
            "ACI-Bench, Yim et al. 2023 (Scientific Data), github.com/wyim/aci-bench",
            from_github(
                "wyim/aci-bench",
                "b909b2bb9cf1d19de08df15cddde7bd0179665e4",
                "data/challenge_data/",
                ("train.csv", "6c778d4ac5e6cc6f1964786f9286e8d765c210f22ed6b57f83aff8497409cea4"),
                ("valid.csv", "6629e89e3fb409d2b3eceab60dc7b32fe1d3fb8d4e07795039284965522aa4d0"),
                ("clinicalnlp_taskB_test1.csv", "5cc4008e68545f84913744a8e493a58bdf17ba7e1b7a0be46d6943d6bfca9471"),
                ("clinicalnlp_taskC_test2.csv", "599e3330a14e25a0e056aee1365ffac7ebe50058f15821eae42a5513c2bb5a4f"),
                ("clef_taskC_test3.csv", "d3c18362a42124ea2bd1b2b4b66ba76a11bb123dfdb416471ae3b5924d1428ec"),
            ),
        ),
        Source(
            "meqsum",
            "CC BY 4.0",
            "MeQSum, Ben Abacha & Demner-Fushman 2019 (ACL), github.com/abachaa/MeQSum",
            from_github(
                "abachaa/MeQSum",
                "51e36cf65c12602333b6fdc3ae8ecf10430529f7",
                "",
                (
                    "MeQSum_ACL2019_BenAbacha_Demner-Fushman.xlsx",
                    "abedd939d5014306ca576522416bf69103e85dc8fcf1668a4099e8b84a39eeea",
                ),
            ),
        ),
        Source(
            "pubmedqa",
            "MIT",
            "PubMedQA, Jin et al. 2019 (EMNLP), github.com/pubmedqa/pubmedqa",
            from_github(
                "pubmedqa/pubmedqa",
                "1cbae8e92f72f20c8d3747cbb3bf5bc53554d997",
                "data/",
                ("ori_pqal.json", "8b3276be8942ebbd77f3ddcda12c1749bf0e490045a736fd8438ee40cf37a41d"),
                ("test_ground_truth.json", "939fe566f09017d13b1ca64d2ddfee0bc2374b366048152997669cccedc44d51"),
            ),
        ),
        Source(
            "medicationqa",
            "no licence stated (by staff of the US National Library of Medicine; answers quote web pages)",
            "MedicationQA, Ben Abacha et al. 2019 (MedInfo), github.com/abachaa/Medication_QA_MedInfo2019",
            from_github(
                "abachaa/Medication_QA_MedInfo2019",
                "8756adc5f4bb99f6bcff690a13921337d9f9bb7e",
                "",
                (
                    "MedInfo2019-QA-Medications.xlsx",
                    "4f13d0e3b195bd6a5d72a1872f9118cb5f69fd02c370001695330cfc9e3b5832",
                ),
            ),
        ),
        Source(
            "medec-ms",
            "CC BY 4.0",
            "MEDEC (MS part), Ben Abacha et al. 2025, github.com/abachaa/MEDEC",
            from_github(
                "abachaa/MEDEC",
                "70268d24e3ce0cd6d0e099ff7bfd4966f2bbcc28",
                "",
                (
                    "MEDEC-MS-ValidationSet-with-GroundTruth-and-ErrorType.csv",
                    "7571aec311e2fb88d9084082af2323aa579d102e1d5e1a06faf930fe4fd3977d",
                ),
                (
                    "MEDEC-MS-TestSet-with-GroundTruth-and-ErrorType.csv",
                    "f35e2c3c1e4d98ca900394c4fcff14c2a84752e48ddc83698401da6a360c707e",
                ),
            ),
        ),
        Source(
            "mediqa-oe",
            "CDLA-Permissive-2.0",
            "MEDIQA-OE 2025, Corbeil et al., github.com/jpcorb20/mediqa-oe",
            from_github(
                "jpcorb20/mediqa-oe",
                "2cd3ca5476f0a3d5ed6f3587c2a88a6da8785bdc",
                "data/",
                ("orders_data.json", "d9abb6ea54b8623b2a7d8e448f3b9681cf2b9e9acaafc9a64d9f97c4975aaf83"),
                ("test_orders_data.json", "ecdfeab85df31fb04cbdbeba75b85934745225de44ba1c93f903df5cce205d0d"),
            ),
        ),
        Source(
            "sdoh-nli",
            "CC BY 4.0",
            "SDOH-NLI, Lelkes et al. 2023 (EMNLP Findings), github.com/google-research-datasets/SDOH-NLI",
            from_github(
                "google-research-datasets/SDOH-NLI",
                "9fc408b05d08e13756aa7440af532a36db33bab2",
                "",
                ("sdoh_nli_train.csv", "4f752fd9a57c63355964dd6355ea456799c21139a6c903fea408c3b3819d05e9"),
                ("sdoh_nli_validation.csv", "a7b3cd8d7fb6d467670c8ec6a53e581c66ec382020dbdaced0778c0f14df9f65"),
                ("sdoh_nli_test.csv", "166e929b4fe1a796b910c2b3d62b13f0e8582addce7e8e471c6abd1d3b6c1333"),
            ),
        ),
        Source(
            "k-qa",
            "MIT",
            "K-QA, Manes et al. 2024, github.com/Itaymanes/K-QA",
            from_github(
                "Itaymanes/K-QA",
                "ef403d012e199fcfa0d8c02b38a96ff95164f4d0",
                "dataset/",
                ("questions_w_answers.jsonl", "1d4204665e2c9e50c3c348b8ad1de2ddf5d90205c3efaea0eb38135192272c6f"),
            ),
        ),
        Source(
            "rqe-amia2016",
            "CC BY 4.0",
            "RQE, Ben Abacha & Demner-Fushman 2016 (AMIA), github.com/abachaa/RQE_Data_AMIA2016",
            from_github(
                "abachaa/RQE_Data_AMIA2016",
                "9302fb9a55a437944ba6ce21a30023463a94a136",
                "",
                ("RQE_Train_8588_AMIA2016.xml", "4729784635c1e9a07d06c91a5efb50bad298758c51705dbf6c7dabcd87adc854"),
                ("RQE_Test_302_pairs_AMIA2016.xml", "0d7d97c8858971edfafad578d39e739129dad33a94cb690277f79f1b1d1b4e80"),
            ),
        ),
        Source(
            "bc5cdr",
            "NCBI Public Domain Notice (US government work)",
            "BC5CDR, Li et al. 2016 (Database), through github.com/microsoft/BioGPT",
            from_github(
                "microsoft/BioGPT",
                "648f7d6503c038b44e70b7510bf431c7be94e891",
                "data/BC5CDR/raw/CDR_Data/CDR.Corpus.v010516/",
                ("CDR_TrainingSet.PubTator.txt", "7afcec134e3d4871e74b0398d92850d3c9ac94c0bdc780003f2d60184c012bd8"),
                ("CDR_DevelopmentSet.PubTator.txt", "9e18d8e700168887a7919e62f67ac2ce2357e3f409a48ee992906abdd80fe3e5"),
            ),
        ),
        Source(
            "disease-ontology",
            "CC0 1.0",
            "Human Disease Ontology, github.com/DiseaseOntology/HumanDiseaseOntology",
            (
                RemoteFile(
                    "doid_definitions.jsonl", sha256="f3f26aca5c68dbea5024933a89a3a54c1e59bbc2dfca037d7b4b85e3960fa4a5"
                ),
            ),
            obtain="It is a merge of the ontology's subset .obo files, which the workbench cannot make yet.",
        ),
        Source(
            "longhealth",
            "not verified here (third parties state Apache-2.0)",
            "LongHealth, Adams et al. 2024, github.com/kbressem/LongHealth",
            (
                RemoteFile(  # the branch: no commit was known here, so the first file that is fetched is pinned
                    "benchmark_v5.json",
                    "https://raw.githubusercontent.com/kbressem/LongHealth/main/data/benchmark_v5.json",
                ),
            ),
        ),
        *CONVERTED,
        *CLINICAL_SOURCES,
        *SOURCES_PUBMED,
        *SOURCES_REFERENCE,
        *CREDENTIALED,
    )
}
