"""Invented names and notes for the simulated accounts."""

from __future__ import annotations

CLIENTS = (
    "Alder & Finch", "Brightwater Mills", "Cobalt Harbour", "Dune Logistics", "Elmsford Clinic",
    "Fjordlicht GmbH", "Greywood Press", "Hazel Street Bakery", "Ibis Travel", "Juniper Labs",
    "Kestrel Foods", "Łódź Design Studio", "Maple \"North\" Homes", "Norrøna Shipping",
)  # fmt: skip
CURRENCIES = ("USD", "EUR", "GBP", "USD", "JPY", "CAD")
PROJECTS = (
    "Website relaunch", "Data migration", "Annual report", "Support retainer", "Mobile app",
    "Brand refresh", "Warehouse audit", "Onboarding portal", "Research sprint", "Internal tools",
)  # fmt: skip
TASKS = (
    "Design", "Development", "Project management", "Research", "Testing", "Meetings",
    "Business development", "Copywriting", "Support", "Vacation",
)  # fmt: skip
FIRST_NAMES = (
    "Ada", "Bruno", "Chloé", "Dario", "Emi", "Farah", "Gustav", "Hana", "Ivo", "Jolene",
    "Kofi", "Lucía", "Mats", "Noor", "Owen", "Priya",
)  # fmt: skip
LAST_NAMES = (
    "Abbott", "Brandt", "Castillo", "Dupont", "Eriksen", "Fontaine", "Gallagher", "Hoshino",
    "Ibrahim", "Jansen", "Kowalska", "Lindqvist", "O'Neill",
)  # fmt: skip
ROLES = ("Designer", "Developer", "Project lead", "Marketing", "Finance")
TIME_ZONES = ("Eastern Time (US & Canada)", "Berlin", "Kyiv", "Tokyo", "London")
NOTES = (
    None, "", "Weekly call", "Fixed the import", "Draft v2, see ticket", "Review\r\nand rework",
    "Café visit ☕ with the client 🎉", "Line one\nline two\twith a tab", 'Said "fine", moved on',
    "<b>not markup</b> & co", "Back\\slash", "Prepared the workshop", "Invoice questions",
    "日本語のメモ", "Zero\u200bwidth", "Long note: " + "and so on, " * 30,
)  # fmt: skip
EXPENSE_CATEGORIES = (
    ("Entertainment", None, None),
    ("Meals", None, None),
    ("Mileage", "mile", 0.575),
    ("Lodging", None, None),
    ("Transportation", None, None),
    ("Copies", "page", 0.1),
)
LINE_TEXTS = ("Design work", "", None, "Development, see timesheet", "Licence fee", "Workshop")
