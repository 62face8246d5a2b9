"""What is published of the sets that CIFAR-10 and CIFAR-100 models are measured on.

Sources: D. Hendrycks and T. Dietterich, "Benchmarking neural network robustness to common
corruptions and perturbations", ICLR 2019 (CIFAR-10-C and CIFAR-100-C); B. Recht et al., "Do
CIFAR-10 classifiers generalize to CIFAR-10?", 2018 (CIFAR-10.1); A. Coates et al., "An analysis of
single-layer networks in unsupervised feature learning", AISTATS 2011 (STL-10).
"""

from robust_tuning.data.checksums import Checksum
from robust_tuning.data.class_lists import read_classes
from robust_tuning.data.external.arrays import read_column_major, read_npy
from robust_tuning.data.external.external_set import ExternalSet, Part
from robust_tuning.data.remote import RemoteFile

# Of each corruption the MD5 in CIFAR-10-C and in CIFAR-100-C, the 15 common ones first.
_CORRUPTIONS = {
    "gaussian_noise": ("ecaf8b9a2399ffeda7680934c33405fd", "ecc4d366eac432bdf25c024086f5e97d"),
    "shot_noise": ("3a7239bb118894f013d9bf1984be7f11", "b0a1fa6e1e465a747c1b204b1914048a"),
    "impulse_noise": ("2090e01c83519ec51427e65116af6b1a", "3b3c210ddfa0b5cb918ff4537a429fef"),
    "defocus_blur": ("7d1322666342a0702b1957e92f6254bc", "d923e3d9c585a27f0956e2f2ad832564"),
    "glass_blur": ("7361fb4019269e02dbf6925f083e8629", "0bf384f38e5ccbf8dd479d9059b913e1"),
    "motion_blur": ("fffa5f852ff7ad299cfe8a7643f090f4", "732a7e2e54152ff97c742d4c388c5516"),
    "zoom_blur": ("6ea8e63f1c5cdee1517533840641641b", "0204613400c034a81c4830d5df81cb82"),
    "snow": ("bb238de8555123da9c282dea23bd6e55", "0237be164583af146b7b144e73b43465"),
    "frost": ("31f6ab3bce1d9934abfb0cc13656f141", "3a39c6823bdfaa0bf8b12fe7004b8117"),
    "fog": ("7b397314b5670f825465fbcd1f6e9ccd", "4efc7ebd5e82b028bdbe13048e3ea564"),
    "brightness": ("0a81ef75e0b523c3383219c330a85d48", "f22d7195aecd6abb541e27fca230c171"),
    "contrast": ("3c8262171c51307f916c30a3308235a8", "322bb385f1d05154ee197ca16535f71e"),
    "elastic_transform": ("9421657c6cd452429cf6ce96cc412b5f", "a0792bd6581f6810878be71acedfc65a"),
    "pixelate": ("0f14f7e2db14288304e1de10df16832f", "96c00c60f144539e14cffb02ddbd0640"),
    "jpeg_compression": ("2b9cc4c864e0193bb64db8d7728f8187", "c851b7f1324e1d2ffddeb76920576d11"),
    "speckle_noise": ("ef00b87611792b00df09c0b0237a1e30", "e3f215b1a0f9fd9fd6f0d1cf94a7ce99"),
    "gaussian_blur": ("c33370155bc9b055fb4a89113d3c559d", "5204ba0d557839772ef5a4196a052c3e"),
    "spatter": ("8a5a3903a7f8f65b59501a6093b4311e", "12ccf41d62564d36e1f6a6ada5022728"),
    "saturate": ("1cfae0964219c5102abbb883e538cc56", "c0697e9fdd646916a61e9c312c77bf6b"),
}
_COMMON = 15
SEVERITIES = 5


def _corrupted(
    name: str, classes: str, which: int, labels: str, archive: RemoteFile
) -> ExternalSet:
    """CIFAR-10-C or CIFAR-100-C: of each test image, every corruption at five severities."""
    names = read_classes(classes)
    counts = (SEVERITIES * 10_000 // len(names),) * len(names)
    files = {f"{corruption}.npy": both[which] for corruption, both in _CORRUPTIONS.items()}
    return ExternalSet(
        name=name,
        classes=names,
        remote=(archive,),
        folder=archive.unpacks[0],
        parts={c: Part(f"{c}.npy", "labels.npy", counts) for c in _CORRUPTIONS},
        usual=tuple(_CORRUPTIONS)[:_COMMON],
        checksums={f: Checksum("md5", md5) for f, md5 in {**files, "labels.npy": labels}.items()},
        read=read_npy,
    )


CIFAR_10_C = _corrupted(
    "CIFAR10C",
    "cifar10",
    0,
    "c439b113295ed5254878798ffe28fd54",
    RemoteFile(
        name="CIFAR-10-C.tar",
        url="https://zenodo.org/records/2535967/files/CIFAR-10-C.tar?download=1",
        size=2_918_471_680,
        md5="56bf5dcef84df0e2308c6dcbcbbd8499",
        sha256="c72763e101c723b7c507b96205f7e938912a5d587376173b825850cf3cb876a7",
        unpacks=("CIFAR-10-C",),
        max_entries=100,
    ),
)
CIFAR_100_C = _corrupted(
    "CIFAR100C",
    "cifar100",
    1,
    "bb4026e9ce52996b95f439544568cdb2",
    RemoteFile(
        name="CIFAR-100-C.tar",
        url="https://zenodo.org/records/3555552/files/CIFAR-100-C.tar?download=1",
        size=2_918_473_216,
        md5="11f0ed0f1191edbf9fa23466ae6021d3",
        sha256="30ee6543a1bfd049fa33834b7c1ada301e7064b7fbe8fc38340eb8b62ced4b33",
        unpacks=("CIFAR-100-C",),
        max_entries=100,
    ),
)

# Of each file the bytes, the SHA-256, and the MD5 where it is known.
_NEW_TEST = {
    "cifar10.1_v6_data.npy": (
        6_144_128,
        "2997188e5816f5bd545dc77771b6227828c28146049fcecf3fa10775474cacc6",
        None,
    ),
    "cifar10.1_v6_labels.npy": (
        8_128,
        "ae40beda001693674edc94d925ee8268cfe68905f8f9aff800c8dcdfcd6c9448",
        "09a97fb7c430502fcbd69d95093a3f85",
    ),
    "cifar10.1_v4_data.npy": (
        6_208_640,
        "5aaedc268df8f4cffca2ac0cf9e608ae1897a8cddb630c7a850a2ea8f6558e75",
        None,
    ),
    "cifar10.1_v4_labels.npy": (
        8_212,
        "1f9544300ded199539b6662364ce7fe6c2e1ea9f87408f06db4b1a6184cffb18",
        "6b7b8e6d26b5addd368440d9e0a24ead",
    ),
}
_NEW_TEST_URL = "https://raw.githubusercontent.com/modestyachts/CIFAR-10.1/master/datasets"

CIFAR_10_1 = ExternalSet(
    name="CIFAR101",
    classes=read_classes("cifar10"),
    remote=tuple(
        RemoteFile(name, f"{_NEW_TEST_URL}/{name}", size, md5, sha256)
        for name, (size, sha256, md5) in _NEW_TEST.items()
    ),
    folder="",
    parts={
        "v6": Part("cifar10.1_v6_data.npy", "cifar10.1_v6_labels.npy", (200,) * 10),
        "v4": Part(
            "cifar10.1_v4_data.npy",
            "cifar10.1_v4_labels.npy",
            (208, 212, 202, 212, 204, 218, 192, 210, 161, 202),
        ),
    },
    usual=("v6",),
    checksums={name: Checksum("sha256", sha256) for name, (_, sha256, _) in _NEW_TEST.items()},
    read=read_npy,
)

STL_10 = ExternalSet(
    name="STL10",
    classes=(
        *("airplane", "bird", "car", "cat", "deer"),
        *("dog", "horse", "monkey", "ship", "truck"),
    ),
    remote=(
        RemoteFile(
            name="stl10_binary.tar.gz",
            url="http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz",
            size=2_640_397_119,
            md5="91f7769df0f17e558f3565bffb0c7dfb",
            sha256="f31fd99273a1acb8609c8db427cebb1de3f71de77758cdc0e22956e1289b9866",
            unpacks=("stl10_binary",),
            max_entries=100,
        ),
    ),
    folder="stl10_binary",
    parts={
        "test": Part("test_X.bin", "test_y.bin", (800,) * 10),
        "train": Part("train_X.bin", "train_y.bin", (500,) * 10),
    },
    usual=("test",),
    checksums={
        "test_X.bin": Checksum("md5", "7f263ba9f9e0b06b93213547f721ac82"),
        "test_y.bin": Checksum("md5", "36f9794fa4beb8a2c72628de14fa638e"),
        "train_X.bin": Checksum("md5", "918c2871b30a85fa023e0c44e0bee87f"),
        "train_y.bin": Checksum("md5", "5a34089d4802c674881badbb80307741"),
    },
    read=read_column_major,
)

EXTERNAL_SETS = (CIFAR_10_C, CIFAR_100_C, CIFAR_10_1, STL_10)
