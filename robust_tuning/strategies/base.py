"""What a way of adapting a pretrained backbone has to say."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, final

from torch import Tensor, nn

from robust_tuning.backbones import Backbone
from robust_tuning.errors import ConfigurationError
from robust_tuning.strategies.attention import inert_biases


class Strategy(ABC):
    """How a pretrained backbone is adapted.

    A strategy holds settings and no tensors: what it inserts lives in the model. A subclass writes
    `trains`, and with what it inserts also `insert`, `merged` and `export_state`. It keeps every
    argument of its `__init__` under the argument's own name, so that it can be written as
    `class_path` and `init_args`.

    Laws: the head always trains; every parameter that requires a gradient is in exactly one group
    and learns, or `inert_parameters` says why not; the rest never changes.
    """

    @property
    def name(self) -> str:
        """The name in tables."""
        return type(self).__name__

    @final
    def adapt(self, model: Backbone) -> None:
        """Insert what this strategy adds, and decide what trains; in place, before the optimiser.

        New parameters are drawn from torch's global random generator.

        Args:
            model: A backbone that no strategy has adapted. One that is refused is left untouched.

        Raises:
            ConfigurationError: If the backbone is adapted already, or lacks what this strategy
                needs.
        """
        # On the model and not on this strategy, so that copies of the model keep it.
        previous = vars(model).get("adapted_by")
        if previous is not None:
            message = (
                f"this backbone is adapted by {previous} already, expected one fresh from "
                "create_backbone; build another one for a second strategy"
            )
            raise ConfigurationError(message)
        self.insert(model)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(model.is_head(name) or self.trains(name))
        vars(model)["adapted_by"] = self.name

    def insert(self, model: Backbone) -> None:  # noqa: B027  most strategies insert nothing
        """Add modules to `model.net`; check everything that can be wrong before the first change.

        Args:
            model: A backbone as pretrained.

        Raises:
            ConfigurationError: If it lacks what this strategy needs.
        """

    @abstractmethod
    def trains(self, name: str) -> bool:
        """Whether a parameter outside the head trains.

        Args:
            name: As in `model.named_parameters()` once `insert` has run.
        """

    def param_groups(self, model: Backbone, lr: float, weight_decay: float) -> list[dict[str, Any]]:
        """What the optimiser is built from.

        Args:
            model: An adapted backbone.
            lr: The learning rate of every group.
            weight_decay: For everything but biases and the weights of normalisation layers, which
                do not decay (the rule of Hugging Face's Trainer, which the study used).

        Returns:
            One or two groups with `params`, `lr` and `weight_decay`.
        """
        undecayed = _undecayed(model)
        trainable = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
        groups = [
            {
                "params": [p for n, p in trainable if n not in undecayed],
                "lr": lr,
                "weight_decay": weight_decay,
            },
            {
                "params": [p for n, p in trainable if n in undecayed],
                "lr": lr,
                "weight_decay": 0.0,
            },
        ]
        return [group for group in groups if group["params"]]

    @contextmanager
    def merged(self, model: Backbone) -> Iterator[None]:  # noqa: ARG002  others fold
        """Fold what can be folded into the pretrained weights while evaluating.

        Inside, the logits are the same to rounding; afterwards every weight is bit-identical to
        before, also after an error. Here nothing can be folded.

        Args:
            model: An adapted backbone.
        """
        yield

    def export_state(self, model: Backbone) -> dict[str, Tensor]:
        """The adapted network as weights of a stock timm model.

        Args:
            model: An adapted backbone; left untouched.

        Returns:
            A state that loads strictly into `timm.create_model(name, num_classes=...)` and gives
            the same logits to rounding, from normalised images.

        Raises:
            ConfigurationError: If a stock model has no place for what was trained.
        """
        return {name: tensor.detach().clone() for name, tensor in model.net.state_dict().items()}

    def inert_parameters(self, model: Backbone) -> dict[str, str]:
        """What trains but cannot learn, with the reason.

        Args:
            model: An adapted backbone.

        Returns:
            Reasons by parameter name; `name[key]` for the key's part of a joint projection.
        """
        trainable = {name for name, p in model.named_parameters() if p.requires_grad}
        reason = "adds the same to every score of a query, which softmax ignores: no gradient"
        return {
            f"net.{name}{part}": reason
            for name, part in inert_biases(model.net)
            if f"net.{name}" in trainable
        }

    def __repr__(self) -> str:
        settings = ", ".join(f"{key}={value!r}" for key, value in vars(self).items())
        return f"{self.name}({settings})"


def is_bias(name: str) -> bool:
    """Whether a parameter, by its name, is an additive term of a layer.

    Tables of relative position biases are not: they are embeddings by another name.
    """
    leaf = name.rpartition(".")[2]
    return leaf == "bias" or leaf.endswith("_bias")


def _undecayed(model: nn.Module) -> set[str]:
    """Names of the parameters that weight decay leaves alone."""
    norms = {
        f"{path}.{leaf}"
        for path, module in model.named_modules()
        if "norm" in type(module).__name__.lower()
        for leaf, _ in module.named_parameters(recurse=False)
    }
    return norms | {name for name, _ in model.named_parameters() if is_bias(name)}
