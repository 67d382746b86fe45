{{ first_copies('identify') }}
