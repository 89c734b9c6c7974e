# SPDX-License-Identifier: MIT
"""What shmguard-census is made of."""
