"""Everything that the doctor looks at."""

from collections.abc import Sequence

from services.operations.doctor.broker import broker
from services.operations.doctor.databases import databases
from services.operations.doctor.finding import Probe
from services.operations.doctor.flow import flow
from services.operations.doctor.machine import machine
from services.operations.doctor.phones import phones
from services.operations.doctor.targets import targets
from services.operations.doctor.variables import variables

PROBES: Sequence[Probe] = (variables, machine, databases, phones, broker, flow, targets)
