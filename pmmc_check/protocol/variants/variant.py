"""What a variant is, and how several are combined."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pmmc_check.errors import UsageError
from pmmc_check.protocol import PMMC, Protocol, variant
from pmmc_check.protocol.role import CLAIMS, Role, states_claim

Options = Mapping[str, int | str | tuple[str, ...]]
"""Options of the command line, by name, as `Config` takes them."""


@dataclass(frozen=True)
class Variant:
    """A named change of the protocol.

    `breaks` are the invariants that it breaks, the one that its row in the protocol page names first; empty for a variant
    that is safe. `smallest` is the smallest configuration that shows it; for a safe variant, one that exercises it.
    `restores` are invariants that the paper's protocol breaks in that configuration and the variant does not; `promises` are others
    that it keeps, though more than the usual ones. `waives`
    are those that the variant changes on purpose, with `waiver` saying why. `networks` and `needs` are what it needs to
    differ from the paper at all. `own_messages` says that it sends what the paper's roles never send, which no trace can record.
    """

    name: str
    summary: str
    roles: tuple[type[Role], ...]
    breaks: tuple[str, ...]
    smallest: Options
    networks: tuple[str, ...] = ()
    waives: tuple[str, ...] = ()
    waiver: str = ""
    needs: Options = field(default_factory=dict)
    restores: tuple[str, ...] = ()
    promises: tuple[str, ...] = ()
    own_messages: bool = False

    @property
    def safe(self) -> bool:
        """Whether all invariants must hold."""
        return not self.breaks

    @property
    def concerns(self) -> tuple[str, ...]:
        """The roles that it changes."""
        return tuple(each.role for each in self.roles)


def combined(variants: Iterable[Variant], base: Protocol = PMMC) -> Protocol:
    """`base` with all of `variants`.

    Where two change the same role, a class is made that has the methods of both; it states no claim but symmetry, because a claim that
    is true of each need not be true of both together. A method that both change must be one that each `passes_on`: it changes what it
    is given, or what comes out, and leaves the step itself to the next.

    Raises:
        UsageError: two variants change the same method of a role.
    """
    chosen: dict[str, list[tuple[str, type[Role]]]] = {}
    for each in variants:
        for role_class in each.roles:
            chosen.setdefault(role_class.role, []).append((each.name, role_class))
    return variant(*(_merged(classes, base) for classes in chosen.values()), base=base)


def _merged(classes: list[tuple[str, type[Role]]], base: Protocol) -> type[Role]:
    if len(classes) == 1:
        return classes[0][1]
    changed: dict[str, str] = {}
    for name, role_class in classes:
        for method in _changed(role_class, base[role_class.role]):
            if method in changed and not all(method in vars(each).get("passes_on", ()) for _, each in classes):
                raise UsageError(
                    f"--variant {name}: {changed[method]} changes {method} of the {role_class.role}, too; give only one of them"
                )
            changed[method] = name
    parents = tuple(role_class for _, role_class in classes)
    return type(
        "And".join(each.__name__ for each in parents), parents, {"symmetric": all(states_claim(each, "symmetric") for each in parents)}
    )


def _changed(role_class: type[Role], base: type[Role]) -> set[str]:
    """The methods in which a class differs from the paper's."""
    changed: set[str] = set()
    for each in role_class.__mro__:
        if each in base.__mro__:
            break
        changed.update(name for name in vars(each) if callable(getattr(each, name)) and name not in CLAIMS and name != "__init__")
    return changed


def check_needs(variants: Iterable[Variant], options: Options) -> None:
    """Whether the options give each variant what it needs to differ from the paper at all.

    Raises:
        UsageError: one needs another network, restarts, or reconfigurations.
    """
    for each in variants:
        if each.networks and options["network"] not in each.networks:
            raise UsageError(
                f"--variant {each.name}: needs --network {' or '.join(each.networks)}; on the {options['network']} network it never shows"
            )
        for option, wanted in each.needs.items():
            given = options[option]
            if isinstance(wanted, tuple) and isinstance(given, tuple):
                missing = [role for role in wanted if role not in given]
            else:
                missing = [] if isinstance(given, int) and isinstance(wanted, int) and given >= wanted else [str(wanted)]
            if missing:
                raise UsageError(f"--variant {each.name}: without --{option} {','.join(missing)} it is never exercised; add that option")
