"""What callers may ask: requests checked and made into queries."""

from datetime import date

from services.chassis.fields import choice, finite, name_parts, text, whole
from services.chassis.kernel import NotFound, invalid
from services.dashboard.application.search import Point, Search, Sort, fold
from tabling.dashboard.v1.dashboard_service_pb2 import SearchStoresRequest

_SORTS = {
    SearchStoresRequest.DISTANCE: Sort.DISTANCE,
    SearchStoresRequest.NAME: Sort.NAME,
    SearchStoresRequest.WAIT: Sort.WAIT,
    SearchStoresRequest.SEATS: Sort.SEATS,
}
LARGEST_PARTY = 100
FARTHEST_METERS = 2**31 - 1


def store_of(name: str, pattern: str) -> str:
    """The store in a name of the form `pattern`. Raises `NotFound` for another form."""
    return name_parts(name, pattern)[0]


def store_and_day(name: str) -> tuple[str, date]:
    """The store and the business day in the name of a day's figures. Raises `NotFound` for another form."""
    store, text_ = name_parts(name, "stores/*/figures/*")
    try:
        day = date.fromisoformat(text_)
    except ValueError:
        day = date.min
    # only the one written form, and only days that have a day before and after in every time zone
    if day.isoformat() != text_ or not 1 < day.year < 9999:
        raise NotFound(f"{name[:200]!r} does not exist")
    return store, day


def search(request: SearchStoresRequest) -> Search:
    """What to find. Raises `InvalidField`."""
    near = _point(request)
    if near is None and request.radius_meters:
        raise invalid("near", "is required with radius_meters")
    if near is None and request.sort == SearchStoresRequest.DISTANCE:
        raise invalid("near", "is required to sort by distance")
    unsorted = Sort.NAME if near is None else Sort.DISTANCE
    return Search(
        sort=choice("sort", request.sort, {SearchStoresRequest.SORT_UNSPECIFIED: unsorted, **_SORTS}),
        words=tuple(fold(text("text", request.text, longest=80)).split()),
        category=fold(text("category", request.category, longest=40)),
        near=near,
        radius_meters=whole("radius_meters", request.radius_meters, least=0, most=FARTHEST_METERS),
        open_now=request.open_now,
        party_size=whole("party_size", request.party_size, least=0, most=LARGEST_PARTY),
    )


def _point(request: SearchStoresRequest) -> Point | None:
    if not request.HasField("near"):
        return None
    return Point(
        finite("near.latitude", request.near.latitude, least=-90, most=90),
        finite("near.longitude", request.near.longitude, least=-180, most=180),
    )
