"""Prints which CPUs the processes of some containers may use, as the host's cgroup tree tells.

    cpusets.py '{"app": "<id>", …}'

Prints JSON: each role's CPUs as the kernel writes them (0-1,4), null where the tree does not tell.
"""

import json
import sys

import readings


def main():
    places = {role: readings.folders(container_id) for role, container_id in json.loads(sys.argv[1]).items()}
    print(json.dumps({role: readings.allowed_cpus(found["cpuset"]) for role, found in places.items()}))


if __name__ == "__main__":
    main()
