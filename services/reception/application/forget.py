"""Forgetting parties that left long ago, and customers who come no more."""

from datetime import timedelta

from services.reception.application.ports import UnitOfWork


def forget(after: timedelta, uow: UnitOfWork, most: int) -> int:
    """How to reach parties that left so long ago, and by what they were known, is kept no longer.

    Theirs are the receptions of which `was_left_before` says so, and their passes open nothing by then. Gives
    how many they were, `most` at most.
    """
    left = uow.phones.forget(uow.now - after, most)
    for reception_id, customer_key in left:
        # of who sat down and was never said to have gone
        if customer_key:
            uow.customers.release(customer_key, reception_id)
    return len(left)


def forget_customers(uow: UnitOfWork, most: int) -> int:
    """Look again at customers of whom nothing should matter any more; gives how many they were, `most` at most.

    A process that does not tell when to forget may have let one join since.
    """
    ended = uow.customers.ended(most)
    for customer in ended:
        uow.customers.save(customer)
    return len(ended)
