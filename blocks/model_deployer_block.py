"""What every model deployer's Prefect Block is."""

from abc import ABC, abstractmethod
from typing import Any, Self, TypeVar, cast

from prefect.blocks.core import Block, schema_extra
from pydantic import BaseModel, ConfigDict, ValidationError

from deployer.base import BaseModelDeployer
from deployer.errors import InvalidConfig
from deployer.references import in_words

Settings = TypeVar("Settings", bound=BaseModel)


def to_be_referred_to(schema: dict[str, Any], model: type[Block]) -> None:
    """Write the schema so that a run can be given a stored block by reference.

    The API looks for the schema by its title, where it should by the class's name; so both are the
    same. And it refuses what fits both a block and a reference to one; so the first field with a
    plain default is required, in the schema alone.
    """
    schema_extra(schema, model)
    schema["title"] = model.__name__
    plain = [name for name, field in model.model_fields.items() if field.default is not None]
    schema.setdefault("required", plain[:1])


class ModelDeployerBlock(Block, ABC):
    """A deployer's settings, stored on a Prefect server; a subclass takes them from its settings' model.

    The UI saves blocks without validating them. So a stored block loads whatever it holds, and
    `get_deployer` names the block and the fields that are wrong.
    """

    model_config = ConfigDict(
        frozen=False, extra="allow", json_schema_extra=to_be_referred_to, hide_input_in_errors=True
    )

    @abstractmethod
    def get_deployer(self) -> BaseModelDeployer:
        """The deployer with these settings.

        Raises:
            InvalidConfig: the stored settings do not fit; names the block and its fields.
        """

    @property
    def reference(self) -> str:
        """What `deployer.load` takes; the block type alone while the block is not saved."""
        slug = self.get_block_type_slug()
        return f"{slug}/{self._block_document_name}" if self._block_document_name else slug

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """What a stored document is loaded by."""
        try:
            return super().model_validate(obj, **options)
        except ValidationError:
            if not isinstance(obj, dict):
                raise
            return cast(Self, cls.model_construct(**obj))

    def _settings(self, settings: type[Settings]) -> Settings:
        stored = {**self.__dict__, **(self.model_extra or {})}
        stored.pop("block_type_slug", None)
        try:
            return settings.model_validate(stored)
        except ValidationError as error:
            raise InvalidConfig(
                f"The Prefect Block {self.reference} is incomplete or wrong: {in_words(error)}.",
                hint="Edit it in Prefect's UI under Blocks, or save it again from Python with overwrite=True.",
            ) from None
