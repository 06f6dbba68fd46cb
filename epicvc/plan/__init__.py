"""The heart: what a synchronisation will do, decided without doing anything."""

from epicvc.plan.plan import Outcome, Policy, plan_epic
from epicvc.plan.policies import Policies

__all__ = ["Outcome", "Policies", "Policy", "plan_epic"]
