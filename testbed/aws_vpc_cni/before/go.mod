module tke-eni.invalid/aws-vpc-cni-before

go 1.26.6

require github.com/aws/amazon-vpc-cni-k8s v1.20.4
