from overread.domains import covers, domains, with_article, words_for

LABELS = [
    "xray/chest",
    "xray/bone",
    "xray/dental",
    "mammography",
    "angiography",
    "ct/chest",
    "ct/abdomen",
    "ct/head",
    "mr/brain",
    "mr/heart",
    "mr/knee",
    "mr/prostate",
    "mr/spine",
    "ultrasound/breast",
    "ultrasound/fetal",
    "ultrasound/vascular",
    "ultrasound/lung",
    "ultrasound/abdomen",
    "fundus",
    "dermoscopy",
    "histopathology",
    "microscopy",
    "endoscopy",
]


def test_every_label_of_the_contract_is_known() -> None:
    assert set(LABELS) <= domains().keys()


def test_a_modality_covers_its_parts_and_not_the_other_way() -> None:
    assert covers("xray", "xray/chest")
    assert covers("xray/chest", "xray/chest")
    assert not covers("xray/chest", "xray")
    assert not covers("ct", "ct-like/chest")


def test_words_for_parts_modalities_and_strangers() -> None:
    assert words_for("xray/chest") == "chest X-ray"
    assert words_for("mr") == "MR image"
    assert words_for("unheard/of") == "unheard/of"


def test_articles() -> None:
    shown = [
        with_article(words_for(label)) for label in ("mr", "xray", "xray/chest", "endoscopy", "ultrasound", "fundus")
    ]
    assert shown == [
        "an MR image",
        "an X-ray",
        "a chest X-ray",
        "an endoscopic image",
        "an ultrasound image",
        "a retinal fundus photograph",
    ]
