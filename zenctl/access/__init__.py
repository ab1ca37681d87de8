"""RBAC as the API server evaluates it: who may do what, by which binding, role and rule.

Pure: objects come in decoded, nothing is asked of a cluster, and what is not granted is "no opinion", never "denied":
other authorizers may still allow it.
"""
