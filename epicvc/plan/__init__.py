"""The heart: what a synchronisation will do, decided without doing anything."""

from epicvc.plan.plan import Outcome, Policy, plan_epic

__all__ = ["Outcome", "Policy", "plan_epic"]
