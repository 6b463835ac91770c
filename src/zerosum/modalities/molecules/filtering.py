"""What molecules are kept, as people write it: `qed > 0.6 and sa < 4 and not rings == 0`."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from zerosum.chem.molecules import Mol, rdkit
from zerosum.data.fields import Batch
from zerosum.errors import UserError, nearest
from zerosum.modalities.molecules.properties import PROPERTIES
from zerosum.modalities.molecules.smiles import SmilesCodec
from zerosum.names import printable

LONGEST = 500
"""Characters of an expression; deeper ones than that can hold are nobody's."""

_SIGNS: Mapping[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_WRITE = "write for example  qed > 0.6 and sa < 4"


class Filter:
    """Comparisons of properties and numbers, joined by `and`, `or`, `not` and parentheses.

    It is read as Python reads it, so `0.3 < qed < 0.6` means both; nothing of it is executed.

    Args:
        text: As typed.

    Raises:
        UserError: It is no such expression, or a property has another name; the nearest is named.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        if len(text) > LONGEST:
            raise UserError(f"--filter has {len(text):,} characters: {LONGEST} are the most")
        try:
            tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise self._wrong(self._slip() or "is no expression", _WRITE) from error
        self._tree = tree
        self._check(tree)

    def __call__(self, mol: Mol) -> bool:
        """Whether it holds for a molecule; a property is computed where it is asked for, once."""
        known: dict[str, float] = {}

        def value(node: ast.expr) -> float:
            if isinstance(node, ast.Constant):
                return float(node.value)  # pyright: ignore[reportArgumentType] - checked
            if isinstance(node, ast.UnaryOp):
                return -value(node.operand)
            assert isinstance(node, ast.Name)
            if node.id not in known:
                known[node.id] = PROPERTIES[node.id](mol)
            return known[node.id]

        def holds(node: ast.expr) -> bool:
            if isinstance(node, ast.BoolOp):
                rule = all if isinstance(node.op, ast.And) else any
                return rule(holds(part) for part in node.values)
            if isinstance(node, ast.UnaryOp):
                return not holds(node.operand)
            assert isinstance(node, ast.Compare)
            sides = [node.left, *node.comparators]
            return all(
                _SIGNS[type(sign)](value(left), value(right))
                for left, sign, right in zip(sides, node.ops, sides[1:])
            )

        return holds(self._tree)

    def _check(self, node: ast.expr) -> None:
        """Refuse what is neither true nor false of a molecule."""
        match node:
            case ast.BoolOp(values=parts):
                for part in parts:
                    self._check(part)
            case ast.UnaryOp(op=ast.Not(), operand=part):
                self._check(part)
            case ast.Compare(left=left, ops=signs, comparators=rest):
                if not all(type(sign) in _SIGNS for sign in signs):
                    raise self._wrong("compares by a word", "compare with < <= > >= == or !=")
                names = [self._named(side) for side in (left, *rest)]
                if not any(names):
                    raise self._wrong("compares numbers only", _WRITE)
            case ast.Name(id=name) if name in PROPERTIES:
                raise self._wrong(f"has '{name}' alone", f"compare it, as in  {name} > 0.5")
            case ast.BinOp(op=ast.BitAnd() | ast.BitOr()):
                raise self._wrong("has & or |", "write and, or")
            case _:
                raise self._wrong(f"has '{self._part(node)}' where a comparison should be", _WRITE)

    def _named(self, side: ast.expr) -> bool:
        """Whether a side of a comparison is a property; refused where it is no number either."""
        match side:
            case ast.Name(id=name):
                if name not in PROPERTIES:
                    raise self._wrong(f"has no property '{name}'", nearest(name, PROPERTIES))
                return True
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                return False
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float())):
                return False
            case ast.BinOp(op=ast.BitAnd() | ast.BitOr()):
                raise self._wrong("has & or |", "write and, or")
        raise self._wrong(
            f"has '{self._part(side)}' in a comparison", "compare properties and numbers alone"
        )

    def _slip(self) -> str:
        """What is most often wrong where Python reads nothing; "" for all else."""
        bare = self.text
        for sign in ("==", "!=", "<=", ">="):
            bare = bare.replace(sign, " ")
        if not self.text.strip():
            return "is empty"
        return "compares with =, which is written ==" if "=" in bare else ""

    def _part(self, node: ast.expr) -> str:
        return printable(ast.unparse(node)[:60])

    def _wrong(self, what: str, cure: str) -> UserError:
        return UserError(f"--filter '{printable(self.text[:80])}' {what}: {cure}")


def once(keep: Filter, codec: SmilesCodec) -> Callable[[Batch], Tensor]:
    """Which samples of batches are valid molecules that a filter holds for, each molecule once."""
    seen: set[str] = set()

    def holds(batch: Batch) -> Tensor:
        found: list[bool] = []
        for mol in codec.decode(batch):
            smiles = "" if mol is None else rdkit().MolToSmiles(mol)
            new = bool(smiles) and smiles not in seen
            if new:
                seen.add(smiles)  # asked once, whether it is kept or not
            found.append(new and keep(mol))
        return torch.tensor(found, dtype=torch.bool)

    return holds
