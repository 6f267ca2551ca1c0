"""`make aws-vpc-cni`: build both releases unless they are in the cache."""

import sys

from testbed.aws_vpc_cni import AWS_VPC_CNI, AWS_VPC_CNI_BEFORE

if __name__ == "__main__":
    sys.exit(max(build.main() for build in (AWS_VPC_CNI, AWS_VPC_CNI_BEFORE)))
