"""Names, trades and prices of the invented consultancy."""

from __future__ import annotations

from dataclasses import dataclass

OWN_NAME = "Harbour & Pine"
CLIENTS = (
    "Alder & Finch", "Brightwater Mills", "Cobalt Harbour", "Dune Logistics", "Elmsford Clinic",
    "Fjordlicht GmbH", "Greywood Press", "Hazel Street Bakery", "Ibis Travel", "Juniper Labs",
    "Kestrel Foods", "Łódź Design Studio", "Maple \"North\" Homes", "Norrøna Shipping",
    "Oakline Insurance", "Perrault & Fils", "Quill Publishing", "Redbank Credit Union",
    "Saffron Kitchens", "Tidewater Energy", "Umbra Optics", "Vesper Hotels", "Wren Mobility",
    "Yarrow Health",
)  # fmt: skip
CURRENCIES = ("USD", "EUR", "USD", "GBP", "USD", "USD", "EUR", "JPY", "USD", "USD", "CHF", "EUR",
              "USD", "GBP", "USD", "CAD", "USD", "EUR")  # fmt: skip
SCALES = {"JPY": 150}
"""What an hour costs in a currency, as a multiple of what it costs in dollars; 1 elsewhere."""
PROJECTS = (
    "Website relaunch", "Customer portal", "Brand refresh", "Data migration", "Mobile app",
    "Service design", "Checkout redesign", "Design system", "Analytics platform",
    "Content strategy", "Onboarding journey", "Annual report", "Booking engine", "Intranet",
    "Accessibility audit", "Pricing study",
)  # fmt: skip
RETAINER = "Support retainer"


@dataclass(frozen=True, slots=True)
class Craft:
    """
    A trade of the consultancy.

    Attributes:
        share: Share of the hours that is billable.
        rate: Default price of an hour. ``cost``: what an hour of it costs.
        tasks: What its people do on projects, the most frequent first.
    """

    role: str
    share: float
    rate: float | None
    cost: float
    tasks: tuple[str, ...]


LEAD = Craft("Project lead", 0.74, 125, 62, ("Project management", "Project management",
                                             "Research"))  # fmt: skip
DESIGN = Craft("Designer", 0.92, 110, 48.5, ("Design", "Design", "Research"))
DEVELOPMENT = Craft("Developer", 0.95, 130, 58, ("Development", "Development", "Development",
                                                 "Testing"))  # fmt: skip
STRATEGY = Craft("Strategist", 0.88, 150, 70.25, ("Strategy", "Research", "Copywriting"))
DIRECTION = Craft("Management", 0.3, 200, 95, ("Strategy", "Project management"))
OFFICE = Craft("Finance", 0.0, None, 38, ())
CRAFTS = (DESIGN, DEVELOPMENT, LEAD, STRATEGY, DIRECTION, OFFICE)
POD = (LEAD, DEVELOPMENT, DESIGN, DEVELOPMENT, STRATEGY, DESIGN, DEVELOPMENT)
"""Who works together on a project, in the order of joining."""

TASKS: tuple[tuple[str, bool, float | None], ...] = (
    ("Design", True, 115.0),
    ("Development", True, 130),
    ("Project management", True, 120),
    ("Research", True, None),
    ("Strategy", True, 155.0),
    ("Testing", True, 92.4),
    ("Copywriting", True, 98),
    ("Meetings", False, None),
    ("Business development", False, None),
    ("Training", False, None),
    ("Administration", False, 0),
    ("Vacation", False, None),
    ("Sick leave", False, None),
    ("Public holiday", False, None),
)
"""Name, billable by default, default rate."""
MEETINGS = "Meetings"
INTERNAL = ("Business development", "Training", "Administration")
VACATION, SICK, HOLIDAY = "Vacation", "Sick leave", "Public holiday"
TIME_OFF = (VACATION, SICK, HOLIDAY)

HOLIDAYS = ((1, 1), (5, 1), (7, 4), (12, 25), (12, 26))
"""Month and day of the days on which the agency is closed."""
