"""Conditions on the values of parameters, and their defaults."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any


class Validator(abc.ABC):
    """A condition; `validate` raises when a value does not meet it."""

    @abc.abstractmethod
    def validate(self, value: Any) -> None:
        """Raise ValueError or TypeError for a value that is not allowed."""


class NotNone(Validator):
    def validate(self, value: Any) -> None:
        if value is None:
            msg = "Value must not be None"
            raise ValueError(msg)


class IsInstance(Validator):
    def __init__(self, classtype: Any) -> None:
        self.classtype = classtype

    def validate(self, value: Any) -> None:
        if value is not None and not isinstance(value, self.classtype):
            msg = (
                f"Value must be of type '{self.classtype}', is type '{type(value)}' value '{value}'"
            )
            raise TypeError(msg)


class WithinRange(Validator):
    def __init__(self, minimum: float, maximum: float) -> None:
        self.minimum, self.maximum = minimum, maximum

    def validate(self, value: Any) -> None:
        if not self.minimum <= value <= self.maximum:
            msg = f"Value must be within range [{self.minimum}, {self.maximum}], is {value}"
            raise ValueError(msg)


class Minimum(Validator):
    def __init__(self, minimum: float) -> None:
        self.minimum = minimum

    def validate(self, value: Any) -> None:
        if value < self.minimum:
            msg = f"Value must be at least {self.minimum}, is {value}"
            raise ValueError(msg)


class Maximum(Validator):
    def __init__(self, maximum: float) -> None:
        self.maximum = maximum

    def validate(self, value: Any) -> None:
        if value > self.maximum:
            msg = f"Value must be at most {self.maximum}, is {value}"
            raise ValueError(msg)


class Choice(Validator):
    def __init__(self, choices: Any) -> None:
        self.choices = choices

    def validate(self, value: Any) -> None:
        if value not in self.choices:
            msg = f"Value is {value}, but must be in one of the following: {self.choices}"
            raise ValueError(msg)


class Exclude(Validator):
    def __init__(self, excludedValues: Any) -> None:
        self.excludedValues = excludedValues

    def validate(self, value: Any) -> None:
        if value in self.excludedValues:
            msg = f"Value is {value}, but must not be one of {self.excludedValues}"
            raise ValueError(msg)


class Default:
    """Default of a parameter: a value, or a function that makes one."""

    def __init__(self, value: Any = None, *, generator: Callable[[], Any] | None = None) -> None:
        self._value, self._generator = value, generator

    @property
    def value(self) -> Any:
        return self._generator() if self._generator else self._value
