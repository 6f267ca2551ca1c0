"""`make aws-vpc-cni`: build it unless this release is in the cache."""

import sys

from testbed.aws_vpc_cni import AWS_VPC_CNI

if __name__ == "__main__":
    sys.exit(AWS_VPC_CNI.main())
