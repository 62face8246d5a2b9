"""CIFAR-100."""

from robust_tuning.data.cifar import Cifar, CifarFiles
from robust_tuning.data.hub import HubSource
from robust_tuning.data.remote import RemoteFile


class CIFAR100(Cifar):
    """CIFAR-100: a hundred kinds of things, the fine labels, of 32x32 pixels; see `Cifar`."""

    files = CifarFiles(
        folder="cifar-100-python",
        archive=RemoteFile(
            name="cifar-100-python.tar.gz",
            url="https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
            size=169_001_437,
            md5="eb9058c3a382ffc7106e4002c42a8d85",
            sha256="85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
            unpacks=("cifar-100-python",),
            max_entries=100,
        ),
        classes="cifar100",
        label_key="fine_labels",
        train={
            "train": "16019d7e3df5f24257cddd939b257f8d",
        },
        test={
            "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
        },
        hub=HubSource("uoft-cs/cifar100", image="img", label="fine_label"),
    )
