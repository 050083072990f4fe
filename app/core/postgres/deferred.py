"""Lists of what a transaction does at its end, which follow the rollbacks of savepoints."""

from collections.abc import Iterator
from typing import Generic, TypeVar

from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

from app.core.postgres.transaction import DEFERRED, Transaction

Item = TypeVar("Item")


class Deferred(Generic[Item]):
    """A list that belongs to a transaction. The rollback of a savepoint removes its items."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._items: list[tuple[Item, SessionTransaction | None]] = []
        transaction.defer(self)

    def __iter__(self) -> Iterator[Item]:
        return (item for item, _ in self._items)

    def append(self, item: Item) -> None:
        self._items.append((item, self._transaction.innermost))

    def clear(self) -> None:
        self._items.clear()

    def remove_items_of(self, rolled_back: SessionTransaction) -> None:
        """Remove the items of a transaction or savepoint."""
        is_root = rolled_back.parent is None
        self._items = [
            (item, transaction)
            for item, transaction in self._items
            if not (is_root or _is_within(transaction, rolled_back))
        ]


@event.listens_for(Session, "after_soft_rollback")
def _remove_items(session: Session, rolled_back: SessionTransaction) -> None:
    """Handle the rollbacks of all sessions. A listener per session would slow each transaction."""
    for deferred in session.info.get(DEFERRED, ()):
        deferred.remove_items_of(rolled_back)


def _is_within(transaction: SessionTransaction | None, outer: SessionTransaction) -> bool:
    while transaction is not None:
        if transaction is outer:
            return True
        transaction = transaction.parent
    return False
