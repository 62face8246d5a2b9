"""CIFAR-10."""

from robust_tuning.data.cifar import Cifar, CifarFiles
from robust_tuning.data.hub import HubSource
from robust_tuning.data.remote import RemoteFile


class CIFAR10(Cifar):
    """CIFAR-10: ten kinds of animals and vehicles, of 32x32 pixels; see `Cifar`."""

    files = CifarFiles(
        folder="cifar-10-batches-py",
        archive=RemoteFile(
            name="cifar-10-python.tar.gz",
            url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
            size=170_498_071,
            md5="c58f30108f718f92721af3b95e74349a",
            sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
            unpacks=("cifar-10-batches-py",),
            max_entries=100,
        ),
        classes="cifar10",
        label_key="labels",
        train={
            "data_batch_1": "c99cafc152244af753f735de768cd75f",
            "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "data_batch_4": "634d18415352ddfa80567beed471001a",
            "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        },
        test={
            "test_batch": "40351d587109b95175f43aff81a1287e",
        },
        hub=HubSource("uoft-cs/cifar10", image="img"),
    )
