"""Sources of the MedWiki and Guidelines experts: textbooks, guidelines, reports. A table like catalogue.py.

Each file was made of upstream's by a conversion that is not written down, so that it has no address: it is the one of
the mirror, or another that equals it.
"""

from __future__ import annotations

from workbench.data.source import RemoteFile, Source

_BOOKS = (
    "osbooks-anatomy-physiology @ b0058a7, osbooks-microbiology @ ecf34da, osbooks-nursing-external-bundle @ 7876f90"
)

SOURCES_REFERENCE: tuple[Source, ...] = (
    Source(
        "openstax-health",
        "CC BY 4.0 (at these commits; Anatomy and Physiology and Microbiology are CC BY-NC-SA 4.0 from March 2026 on)",
        "OpenStax: Anatomy and Physiology 2e, Microbiology, Pharmacology for Nurses, Nutrition for Nurses, Population "
        f"Health for Nurses; access for free at openstax.org; github.com/openstax: {_BOOKS}",
        (
            RemoteFile(
                "anatomy-physiology-2e.jsonl",
                sha256="da45d2d799e151db36825301cfd268df570dbe28f306b15011e1eabe7586cdc6",
            ),
            RemoteFile("microbiology.jsonl", sha256="de9bf5da0a561b0d02189b913d2b4678c2de197313977e03550cbf68ec706f4a"),
            RemoteFile(
                "nursing-pharm-nutrition-pophealth.jsonl",
                sha256="0ecbd1fc123f540e789bdc0c761c7e2b9e2b0c9bb2e4a9c915f8ef242263c55a",
            ),
        ),
        obtain="It is the text of the books' CNXML modules, which the workbench cannot make yet.",
    ),
    Source(
        "ngc-uspd",
        "no copyright restrictions, as each summary states (the archive of them states no licence)",
        "National Guideline Clearinghouse (AHRQ), summaries marked 'No copyright restrictions apply', through "
        "github.com/JesseTG/ngc_dump @ 89996cf",
        (
            RemoteFile(
                "ngc_no_copyright_restrictions.jsonl",
                sha256="7d4ec7f1588a23a64f7c736e3242fe8e48cb66a140e46e983a44c91601139692",
            ),
        ),
        obtain="It is a choice of 43 of the archive's 1,416 XML files, which the workbench cannot make yet.",
    ),
    Source(
        "cdc-mmwr-supplements",
        "public domain (US government work; the collection is CC0 1.0)",
        "CDC Morbidity and Mortality Weekly Report, Supplements, through github.com/cmheilig/harvest-cdc-journals "
        "@ 4e8fe93",
        (
            RemoteFile(
                "mmwr_supplements.jsonl", sha256="ffcf7f32216d971a427d9060dfb1fba46411638997a44eeb89e2f4edaa546a0a"
            ),
        ),
        obtain="It is a choice of 65 of the collection's 256 supplements, which the workbench cannot make yet.",
    ),
    Source(
        "nstg2022",
        "CC BY 4.0 by its README, MIT by its LICENSE file",
        "Nigeria Standard Treatment Guidelines 2022, Federal Ministry of Health, through "
        "github.com/chisomrutherford/nigeria-clinical-guidelines-dataset @ d2be90e",
        (
            RemoteFile(
                "nstg2022_structured.jsonl", sha256="0bfda5d158ecaeeeb42b714412d6a3d7e5f7d03da1681eb0aab04c045a07b32e"
            ),
            RemoteFile(
                "nstg2022_text.jsonl", sha256="a9a521b2bb3b9758876bca7e4a0f0b00bebd3ed95f3b83e54b461d573e36aed6"
            ),
        ),
        obtain="It is upstream's texts and JSON files, a line each, which the workbench cannot make yet.",
    ),
)
